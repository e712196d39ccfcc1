/* SPDX-License-Identifier: Apache-2.0 */
/* Connection strings. libmongoc ignores options it does not know and values it cannot read; here
 * each is checked against a table first, so that a typo is an error and not a silent default. */
#include "remote/internal.h"

#include <stdio.h>
#include <strings.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "bson/json.h"
#include "client/uri.h"

typedef enum option_kind {
    OPTION_BOOL,
    OPTION_INT,
    OPTION_TEXT,
    OPTION_FILE,   /* a path that must be readable */
    OPTION_CHOICE, /* one of `choices`, separated by spaces */
    OPTION_W,      /* a number or a name */
    OPTION_POOL,   /* maxPoolSize: handled by our own pool */
    OPTION_WAIT,   /* waitQueueTimeoutMS */
    OPTION_UUID,   /* accepted for PyMongo's sake when it asks for what we do */
    OPTION_USER,
    OPTION_PASSWORD,
    OPTION_DATABASE
} option_kind;

typedef struct option {
    const char *name;
    option_kind kind;
    int64_t min;
    int64_t max;
    const char *choices;
    const char *as; /* libmongoc's name when it is another */
} option;

static const option options_known[] = {
    {"appName", OPTION_TEXT},
    {"authMechanism", OPTION_CHOICE, 0, 0,
     "SCRAM-SHA-1 SCRAM-SHA-256 MONGODB-X509 MONGODB-AWS GSSAPI PLAIN MONGODB-CR"},
    {"authMechanismProperties", OPTION_TEXT},
    {"authSource", OPTION_TEXT},
    {"canonicalizeHostname", OPTION_BOOL},
    {"compressors", OPTION_TEXT},
    {"connectTimeoutMS", OPTION_INT, 1, INT32_MAX},
    {"database", OPTION_DATABASE},
    {"directConnection", OPTION_BOOL},
    {"gssapiServiceName", OPTION_TEXT},
    {"heartbeatFrequencyMS", OPTION_INT, 500, INT32_MAX},
    {"j", OPTION_BOOL, 0, 0, NULL, "journal"},
    {"journal", OPTION_BOOL},
    {"loadBalanced", OPTION_BOOL},
    {"localThresholdMS", OPTION_INT, 0, INT32_MAX},
    {"maxIdleTimeMS", OPTION_INT, 0, INT32_MAX},
    {"maxPoolSize", OPTION_POOL, 0, INT32_MAX},
    {"maxStalenessSeconds", OPTION_INT, -1, INT32_MAX},
    {"minPoolSize", OPTION_INT, 0, 0},
    {"password", OPTION_PASSWORD},
    {"readConcernLevel", OPTION_CHOICE, 0, 0, "local available majority linearizable snapshot"},
    {"readPreference", OPTION_CHOICE, 0, 0,
     "primary primaryPreferred secondary secondaryPreferred nearest"},
    {"readPreferenceTags", OPTION_TEXT},
    {"replicaSet", OPTION_TEXT},
    {"retryReads", OPTION_BOOL},
    {"retryWrites", OPTION_BOOL},
    {"serverSelectionTimeoutMS", OPTION_INT, 1, INT32_MAX},
    {"socketTimeoutMS", OPTION_INT, 0, INT32_MAX},
    {"srvMaxHosts", OPTION_INT, 0, INT32_MAX},
    {"srvServiceName", OPTION_TEXT},
    {"ssl", OPTION_BOOL, 0, 0, NULL, "tls"},
    {"tls", OPTION_BOOL},
    {"tlsAllowInvalidCertificates", OPTION_BOOL},
    {"tlsAllowInvalidHostnames", OPTION_BOOL},
    {"tlsCAFile", OPTION_FILE},
    {"tlsCertificateKeyFile", OPTION_FILE},
    {"tlsCertificateKeyFilePassword", OPTION_TEXT},
    {"tlsDisableCertificateRevocationCheck", OPTION_BOOL},
    {"tlsDisableOCSPEndpointCheck", OPTION_BOOL},
    {"tlsInsecure", OPTION_BOOL},
    {"username", OPTION_USER},
    {"uuidRepresentation", OPTION_UUID},
    {"w", OPTION_W},
    {"waitQueueTimeoutMS", OPTION_WAIT, 1, INT32_MAX},
    {"wTimeoutMS", OPTION_INT, 0, INT32_MAX},
    {"zlibCompressionLevel", OPTION_INT, -1, 9},
};
enum { OPTION_COUNT = sizeof options_known / sizeof options_known[0] };

/* What the connection string and the options document come to. */
typedef struct parts {
    /* owned */
    ds_buf query; /* name=value pairs, escaped */
    ds_buf text;  /* scratch */
    char *user;
    char *password;
    char *database;
    /* plain */
    bool given[OPTION_COUNT]; /* by the options document, which wins */
    uint32_t max_pool;
    int32_t wait_ms;
} parts;

static const option *find_option(const char *name, size_t size) {
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if (ds__uri_is(name, size, options_known[i].name)) {
            return &options_known[i];
        }
    }
    return NULL;
}

static bool unknown_option(const char *name, size_t size, ds_error *err) {
    const char *near = NULL;
    for (size_t i = 0; i < OPTION_COUNT && size >= 4; i++) {
        const char *known = options_known[i].name;
        if (strncasecmp(known, name, 4) == 0 && !near) {
            near = known;
        }
    }
    return ds__error_set(err, DS_INVALID_OPTIONS, "unknown connection option '%.*s'%s%s%s",
                         (int)(size > 60 ? 60 : size), name, near ? "; did you mean '" : "",
                         near ? near : "", near ? "'?" : "");
}

static bool take_text(char **out, ds_value v, const char *name, ds_error *err) {
    if (v.type != DS_STRING || v.size == 0 || memchr(v.as.bytes, 0, v.size)) {
        return ds__error_set(err, DS_BAD_VALUE, "option '%s' must be a non-empty string", name);
    }
    ds__free(*out);
    *out = ds__strndup(ds__text(v), v.size);
    return *out ? true : ds__error_oom(err);
}

static bool is_choice(const char *choices, ds_value v, const char **match) {
    while (v.type == DS_STRING && *choices) {
        size_t size = strcspn(choices, " ");
        if (size == v.size && strncasecmp(choices, ds__text(v), size) == 0) {
            *match = choices;
            return true;
        }
        choices += size + (choices[size] == ' ');
    }
    return false;
}

static void add_pair(parts *out, const option *o, const char *value, size_t size) {
    const char *name = o->as ? o->as : o->name;
    if (out->query.size) {
        ds_buf_add_byte(&out->query, '&');
    }
    ds_buf_add(&out->query, name, strlen(name));
    ds_buf_add_byte(&out->query, '=');
    ds__uri_encode(&out->query, value, size);
}

static bool add_text(parts *out, const option *o, ds_value v, ds_error *err) {
    if (v.type != DS_STRING) {
        return ds__error_set(err, DS_BAD_VALUE, "option '%s' must be a string", o->name);
    }
    if (o->kind == OPTION_FILE) {
        char path[1024];
        snprintf(path, sizeof path, "%.*s", (int)v.size, ds__text(v));
        if (access(path, R_OK) != 0) {
            return ds__error_set(err, DS_FILE_STREAM_FAILED, "option '%s': cannot read '%s'",
                                 o->name, path);
        }
    }
    add_pair(out, o, ds__text(v), v.size);
    return true;
}

/* A view's text has no NUL behind it. */
static bool looks_like_number(ds_value v) {
    for (uint32_t i = 0; i < v.size; i++) {
        if (strchr("0123456789+-", ds__text(v)[i]) == NULL) {
            return false;
        }
    }
    return true;
}

static bool add_w(parts *out, const option *o, ds_value v, ds_error *err) {
    char text[24];
    int64_t n = 0;
    if (v.type == DS_STRING && v.size && !looks_like_number(v)) {
        add_pair(out, o, ds__text(v), v.size);
        return true;
    }
    if (!ds__option_int("w", v, 0, 50, &n, err)) {
        return ds__error_prefix(err, "w is a number of members or a name such as majority: ");
    }
    int size = snprintf(text, sizeof text, "%d", (int)n);
    add_pair(out, o, text, (size_t)size);
    return true;
}

static bool add_number(parts *out, const option *o, ds_value v, ds_error *err) {
    char text[24];
    int64_t n = 0;
    if (!ds__option_int(o->name, v, o->min, o->max, &n, err)) {
        return false;
    }
    if (o->kind == OPTION_POOL) {
        out->max_pool = (uint32_t)n;
        return true;
    }
    if (o->kind == OPTION_WAIT) {
        out->wait_ms = (int32_t)n;
        return true;
    }
    if (strcmp(o->name, "minPoolSize") == 0) {
        return true; /* 0, the only value left: connections are made when needed */
    }
    int size = snprintf(text, sizeof text, "%lld", (long long)n);
    add_pair(out, o, text, (size_t)size);
    return true;
}

static bool add_option(parts *out, const option *o, ds_value v, ds_error *err) {
    bool flag = false;
    const char *match = NULL;
    switch (o->kind) {
    case OPTION_BOOL:
        if (!ds__option_bool(o->name, v, &flag, err)) {
            return false;
        }
        if (flag && strcmp(o->name, "loadBalanced") == 0) {
            return ds__error_set(err, DS_NOT_IMPLEMENTED,
                                 "loadBalanced=true is not supported: name the members instead");
        }
        add_pair(out, o, flag ? "true" : "false", flag ? 4 : 5);
        return true;
    case OPTION_INT:
    case OPTION_POOL:
    case OPTION_WAIT:
        return add_number(out, o, v, err);
    case OPTION_TEXT:
    case OPTION_FILE:
        return add_text(out, o, v, err);
    case OPTION_W:
        return add_w(out, o, v, err);
    case OPTION_CHOICE:
        if (!is_choice(o->choices, v, &match)) {
            char quoted[80];
            return ds__error_set(err, DS_BAD_VALUE, "option '%s' must be one of %s, found %s",
                                 o->name, o->choices, ds__value_quote(v, quoted, sizeof quoted));
        }
        add_pair(out, o, match, strcspn(match, " "));
        return true;
    case OPTION_UUID:
        if (!is_choice("standard unspecified", v, &match)) {
            return ds__error_set(err, DS_NOT_IMPLEMENTED,
                                 "option 'uuidRepresentation': UUIDs are stored as \"standard\"; "
                                 "no other form is supported");
        }
        return true;
    case OPTION_USER:
        return take_text(&out->user, v, o->name, err);
    case OPTION_PASSWORD:
        return take_text(&out->password, v, o->name, err);
    case OPTION_DATABASE:
        return take_text(&out->database, v, o->name, err);
    }
    return false;
}

static bool read_document(parts *out, const bson_t *options, ds_error *err) {
    ds__iter it;
    if (!options) {
        return true;
    }
    ds__iter_init(&it, ds__document(bson_get_data(options)));
    while (ds__iter_next(&it)) {
        const option *o = find_option(it.key, it.key_size);
        if (!o) {
            return unknown_option(it.key, it.key_size, err);
        }
        out->given[o - options_known] = true;
        if (!add_option(out, o, it.value, err)) {
            return false;
        }
    }
    return true;
}

static bool read_query(parts *out, const char *query, ds_error *err) {
    ds__uri_pair pair;
    bool found = false, ok = true;
    while ((ok = ds__uri_next(&query, &pair, &found, err)) && found) {
        const option *o = find_option(pair.name, pair.name_size);
        if (!o) {
            return unknown_option(pair.name, pair.name_size, err);
        }
        if (o->kind == OPTION_USER || o->kind == OPTION_PASSWORD || o->kind == OPTION_DATABASE) {
            return ds__error_set(err, DS_INVALID_OPTIONS,
                                 "'%s' stands before the '?' of a connection string: "
                                 "mongodb://user:password@host/database",
                                 o->name);
        }
        if (out->given[o - options_known]) {
            continue;
        }
        ds_buf_reset(&out->text);
        if (!ds__uri_decode(&out->text, pair.value, pair.value_size, err) ||
            !add_option(out, o, ds__string((const char *)out->text.data, out->text.size), err)) {
            return false;
        }
    }
    return ok;
}

/* scheme://[user[:password]@]hosts[/database][?query], pieces as they stand. */
typedef struct pieces {
    const char *scheme, *login, *hosts, *database, *query;
    size_t scheme_size, login_size, hosts_size, database_size;
} pieces;

static bool split(const char *uri, pieces *p, ds_error *err) {
    const char *at = strstr(uri, "://") + 3;
    *p = (pieces){.scheme = uri, .scheme_size = (size_t)(at - uri)};
    size_t size = strcspn(at, "?");
    p->query = at[size] ? at + size + 1 : NULL;
    const char *sign = NULL;
    for (size_t i = 0; i < size; i++) {
        sign = at[i] == '@' ? at + i : sign;
    }
    if (sign) {
        p->login = at;
        p->login_size = (size_t)(sign - at);
        if (memchr(at, '@', p->login_size) || memchr(at, '/', p->login_size)) {
            return ds__error_set(err, DS_FAILED_TO_PARSE,
                                 "the user name and password of a connection string must have "
                                 "their '@', ':', '/' and '%%' escaped (%%40, %%3A, %%2F, %%25)");
        }
        size -= p->login_size + 1;
        at = sign + 1;
    }
    /* a Unix socket's path is escaped, so the first '/' ends the hosts */
    p->hosts = at;
    const char *slash = memchr(at, '/', size);
    p->hosts_size = slash ? (size_t)(slash - at) : size;
    if (p->hosts_size == 0) {
        return ds__error_set(err, DS_FAILED_TO_PARSE, "the connection string names no host");
    }
    if (slash) {
        p->database = slash + 1;
        p->database_size = size - p->hosts_size - 1;
    }
    return true;
}

static void add_login(ds_buf *text, const parts *in, const pieces *p) {
    if (in->user) {
        ds__uri_encode(text, in->user, strlen(in->user));
        if (in->password) {
            ds_buf_add_byte(text, ':');
            ds__uri_encode(text, in->password, strlen(in->password));
        }
        ds_buf_add_byte(text, '@');
    } else if (p->login) {
        ds_buf_add(text, p->login, p->login_size);
        if (in->password && !memchr(p->login, ':', p->login_size)) {
            ds_buf_add_byte(text, ':');
            ds__uri_encode(text, in->password, strlen(in->password));
        }
        ds_buf_add_byte(text, '@');
    }
}

static mongoc_uri_t *assemble(parts *in, const pieces *p, ds_error *err) {
    ds_buf text = {0};
    ds_buf_add(&text, p->scheme, p->scheme_size);
    add_login(&text, in, p);
    ds_buf_add(&text, p->hosts, p->hosts_size);
    ds_buf_add_byte(&text, '/');
    if (in->database) {
        ds__uri_encode(&text, in->database, strlen(in->database));
    } else if (p->database) {
        ds_buf_add(&text, p->database, p->database_size);
    }
    ds_buf_add_byte(&text, '?');
    ds_buf_add(&text, in->query.data, in->query.size);
    ds_buf_add_byte(&text, 0);
    mongoc_uri_t *uri = NULL;
    if (ds_buf_ok(&in->query, err) && ds_buf_ok(&text, err)) {
        bson_error_t error = {0};
        uri = mongoc_uri_new_with_error((const char *)text.data, &error);
        if (!uri) {
            ds__error_set(err, DS_FAILED_TO_PARSE, "%s", error.message);
        }
    }
    ds_buf_clear(&text);
    return uri;
}

mongoc_uri_t *ds__remote_uri(const char *uri, const bson_t *options, uint32_t *max_pool,
                             int32_t *wait_ms, ds_error *err) {
    parts in = {.max_pool = 100};
    pieces p;
    mongoc_uri_t *out = NULL;
    if (split(uri, &p, err) && read_document(&in, options, err) &&
        (!p.query || read_query(&in, p.query, err))) {
        out = assemble(&in, &p, err);
    }
    *max_pool = in.max_pool;
    *wait_ms = in.wait_ms;
    ds_buf_clear(&in.query);
    ds_buf_clear(&in.text);
    ds__free(in.user);
    ds__free(in.password);
    ds__free(in.database);
    return out;
}
