/* SPDX-License-Identifier: Apache-2.0 */
/* docstore serve: the store in a file for PyMongo, mongosh, Compass and every other driver. */
#include "base/system.h"
#include "cli/cli.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire/wire.h"

enum { TURN_MS = 1000 }; /* between looks at what the store has to say */

typedef struct wanted {
    const char *file;
    const char *host;
    const char *socket;
    const char *durability;
    int port;
    int max_connections;
    int max_memory;
    int timeout;
    int idle_timeout;
    bool read_only;
    bool allow_remote;
} wanted;

/* An option whose value is a number: 1 taken, 0 another option, -1 not a number in range. */
static int take_number(int argc, char **argv, int *at, const char *name, long max, int *out) {
    const char *value = NULL;
    char *end = NULL;
    if (!ds__cli_option(argc, argv, at, name, &value)) {
        return 0;
    }
    long n = value && *value ? strtol(value, &end, 10) : -1;
    *out = (int)n;
    return n < 0 || n > max || *end ? -1 : 1;
}

/* Any of the options with a number; as take_number, with the range of what is refused. */
static int take_numbers(int argc, char **argv, int *at, wanted *out, long *max) {
    const struct {
        const char *name;
        long max;
        int *out;
    } numbers[] = {{"--port", 65535, &out->port},
                   {"--max-connections", 100000, &out->max_connections},
                   {"--max-memory", 1000000, &out->max_memory},
                   {"--timeout", 86400, &out->timeout},
                   {"--idle-timeout", 1000000, &out->idle_timeout}};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        int taken = take_number(argc, argv, at, numbers[i].name, numbers[i].max, numbers[i].out);
        if (taken) {
            *max = numbers[i].max;
            return taken;
        }
    }
    return 0;
}

/* One argument; a usage error's exit code or 0. */
static int take(const ds__verb *verb, int argc, char **argv, int *at, wanted *out) {
    const char *value = NULL;
    const char *name = argv[*at];
    const char **text = NULL;
    if (strcmp(name, "--read-only") == 0) {
        out->read_only = true;
        return 0;
    }
    if (strcmp(name, "--allow-remote") == 0) {
        out->allow_remote = true;
        return 0;
    }
    long max = 0;
    int taken = take_numbers(argc, argv, at, out, &max);
    if (taken) {
        return taken > 0 ? 0 : ds__cli_usage(verb, "%s wants a number from 0 to %ld", name, max);
    }
    if (ds__cli_option(argc, argv, at, "--host", &value)) {
        text = &out->host;
    } else if (ds__cli_option(argc, argv, at, "--socket", &value)) {
        text = &out->socket;
    } else if (ds__cli_option(argc, argv, at, "--durability", &value)) {
        text = &out->durability;
    } else if (name[0] == '-' && name[1]) {
        return ds__cli_usage(verb, "there is no option '%s'", name);
    } else if (out->file) {
        return ds__cli_usage(verb, "one file at a time: '%s' and '%s'", out->file, name);
    } else {
        out->file = name;
        return 0;
    }
    if (!value || !*value) {
        return ds__cli_usage(verb, "%s wants a value", name);
    }
    *text = value;
    return 0;
}

/* PyMongo asks a replica set for its members' names, and reads those in lower case. */
static void warn_of_path(const char *path) {
    for (const char *p = path; p && *p; p++) {
        if ((*p >= 'A' && *p <= 'Z') || *p == ':') {
            fprintf(stderr,
                    "docstore serve: warning: PyMongo finds the socket '%s' only with "
                    "directConnection=true, and not at all with a ':' in it; choose a path in "
                    "lower case\n",
                    path);
            return;
        }
    }
}

/* Waits, and says what the store has to say meanwhile. */
static int wait_for_signal(ds_client *client, const sigset_t *signals) {
    char text[512];
    size_t said = 0;
    int signal;
    ds_notice notice;
    do {
        while ((notice = ds_client_warning(client, &said, text, sizeof text))) {
            fprintf(stderr, "docstore: %s%s\n", notice == DS_NOTICE_WARNING ? "warning: " : "",
                    text);
        }
        signal = ds__signal_wait(signals, TURN_MS);
    } while (!signal);
    return signal;
}

static int serve(const wanted *w, const sigset_t *signals) {
    bson_t options = BSON_INITIALIZER;
    if (w->read_only) {
        BSON_APPEND_BOOL(&options, "readOnly", true);
    }
    if (w->durability) {
        BSON_APPEND_UTF8(&options, "durability", w->durability);
    }
    ds_client *client = ds__cli_open(w->file, &options);
    bson_destroy(&options);
    if (!client) {
        return DS_EXIT_FAILED;
    }
    ds_error err = {0};
    ds__wire_options wire = {.host = w->socket ? NULL : w->host,
                             .port = (uint16_t)w->port,
                             .socket = w->socket,
                             .allow_remote = w->allow_remote,
                             .max_connections = w->max_connections,
                             .max_memory_mb = w->max_memory,
                             .stall_ms = w->timeout * 1000,
                             .idle_ms = w->idle_timeout < 0    ? 0
                                        : w->idle_timeout == 0 ? -1
                                                               : w->idle_timeout * 1000};
    ds__wire_server *server = ds__wire_start(client, &wire, &err);
    int code = DS_EXIT_OK;
    if (server) {
        printf("docstore %s serves %s on %s\nConnect to: %s\nCtrl-C stops it.\n", ds_version(),
               w->file, ds__wire_address(server), ds__wire_uri(server));
        fflush(stdout);
        const int signal = wait_for_signal(client, signals);
        printf("docstore: stopping (%s)\n", strsignal(signal));
        fflush(stdout);
        pthread_sigmask(SIG_UNBLOCK, signals, NULL); /* a second one does not wait */
        ds__wire_stop(server);
    } else {
        code = ds__cli_fail("%s", err.message);
    }
    ds_client_close(client);
    return code;
}

static int run(const ds__verb *verb, int argc, char **argv) {
    wanted w = {.host = "127.0.0.1", .port = 27017, .idle_timeout = -1};
    for (int i = 0; i < argc; i++) {
        int code = take(verb, argc, argv, &i, &w);
        if (code) {
            return code;
        }
    }
    if (!w.file) {
        return ds__cli_usage(verb, "name a file: docstore serve shop.docstore");
    }
    warn_of_path(w.socket);
    /* Threads come and go: what one has freed is not kept for it. */
    ds__keep_little_memory();
    /* blocked before any thread starts, so that only sigwait sees them */
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    return serve(&w, &signals);
}

const ds__verb ds__verb_serve = {
    .name = "serve",
    .summary = "serve a store's file over MongoDB's wire protocol",
    .help =
        "docstore serve FILE [--host ADDRESS] [--port PORT] [--socket PATH]\n"
        "               [--durability normal|full] [--read-only] [--allow-remote]\n"
        "               [--max-connections N] [--max-memory MB] [--timeout SECONDS]\n"
        "               [--idle-timeout SECONDS]\n"
        "\n"
        "Serves the store in FILE to any MongoDB driver or shell, until Ctrl-C. The file is\n"
        "made when it is not there; \":memory:\" serves an empty store that is gone at the\n"
        "end. Other programs may use the file at the same time.\n"
        "\n"
        "  --host ADDRESS     what to listen on (127.0.0.1). There is no password and no TLS\n"
        "                     yet, so an address that other machines reach is refused\n"
        "  --allow-remote     ... unless this says that the network keeps others out\n"
        "  --port PORT        27017; 0 takes any free one\n"
        "  --socket PATH      a Unix socket instead of TCP, for this user only; PATH ends in\n"
        "                     .sock and is best in lower case\n"
        "  --durability       full: every commit reaches the disk before it is acknowledged\n"
        "  --read-only        refuse writes\n"
        "  --max-connections  1000; when all are taken, the one that has been idle for longest\n"
        "                     gives way, or the new one is refused\n"
        "  --max-memory       512 MB for all large messages and answers on their way together\n"
        "  --timeout          30 s; a client that stops within a message, or does not read its\n"
        "                     answer, is disconnected\n"
        "  --idle-timeout     1800 s without any command, then too; 0: never\n",
    .run = run,
};
