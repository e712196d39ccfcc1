/* SPDX-License-Identifier: Apache-2.0 */
/* The hash of hashed indexes: MD5 over type ranks and payloads, numbers squashed to 64-bit integers
 * so that equal numbers of any type hash alike. */
#include <openssl/evp.h>

#include "bson/compare.h"
#include "bson/number.h"
#include "engine/index/index.h"

/* The payload of a scalar as BSON writes it. */
static void add_scalar(EVP_MD_CTX *md, ds_value v) {
    if (ds__is_number(v)) {
        int64_t n = ds__number_to_int64(v);
        EVP_DigestUpdate(md, &n, sizeof n);
        return;
    }
    int32_t size = (int32_t)v.size;
    switch (v.type) {
    case DS_STRING:
    case DS_SYMBOL:
    case DS_CODE_TYPE:
        size++;
        EVP_DigestUpdate(md, &size, sizeof size);
        EVP_DigestUpdate(md, v.as.bytes, v.size);
        EVP_DigestUpdate(md, "", 1);
        break;
    case DS_BINARY:
        EVP_DigestUpdate(md, &size, sizeof size);
        EVP_DigestUpdate(md, &v.subtype, 1);
        EVP_DigestUpdate(md, v.as.bytes, v.size);
        break;
    case DS_OBJECT_ID:
        EVP_DigestUpdate(md, v.as.oid, sizeof v.as.oid);
        break;
    case DS_BOOL:
        EVP_DigestUpdate(md, &v.as.b, 1);
        break;
    case DS_DATE:
    case DS_TIMESTAMP:
        EVP_DigestUpdate(md, &v.as.u64, sizeof v.as.u64);
        break;
    case DS_REGEX:
    case DS_DB_POINTER:
    case DS_CODE_W_SCOPE:
        EVP_DigestUpdate(md, v.as.bytes, v.size);
        break;
    default:
        break;
    }
}

static void add_value(EVP_MD_CTX *md, const char *key, size_t key_size, ds_value v) {
    int32_t rank = v.type == DS_MISSING ? 0 : ds__type_rank(v.type);
    EVP_DigestUpdate(md, &rank, sizeof rank);
    if (key) {
        EVP_DigestUpdate(md, key, key_size + 1);
    }
    if (v.type != DS_DOCUMENT && v.type != DS_ARRAY) {
        add_scalar(md, v);
        return;
    }
    ds__iter it;
    ds__iter_init(&it, v);
    while (ds__iter_next(&it)) {
        add_value(md, it.key, it.key_size, it.value);
    }
    add_value(md, "", 0, ds__missing());
}

int64_t ds__index_hash(ds_value v) {
    uint8_t digest[EVP_MAX_MD_SIZE] = {0};
    int32_t seed = 0;
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    if (md && EVP_DigestInit_ex(md, EVP_md5(), NULL)) {
        EVP_DigestUpdate(md, &seed, sizeof seed);
        add_value(md, NULL, 0, v);
        EVP_DigestFinal_ex(md, digest, NULL);
    }
    EVP_MD_CTX_free(md);
    int64_t out;
    memcpy(&out, digest, sizeof out);
    return out;
}
