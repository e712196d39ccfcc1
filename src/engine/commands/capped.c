/* SPDX-License-Identifier: Apache-2.0 */
/* convertToCapped: the collection gets a limit of bytes, forgets the oldest documents beyond it and
 * loses its indexes but the one on _id. */
#include "bson/number.h"
#include "engine/commands/ddl.h"
#include "engine/commands/handlers.h"
#include "engine/records/records.h"

bool ds__cmd_convert_to_capped(ds__op *op, ds_buf *reply, ds_error *err) {
    static const ds__arg args[] = {{"size", DS_ARG_NUMBER, DS_ARG_REQUIRED}};
    ds_value v;
    const ds__coll *coll;
    const char *name;
    (void)reply;
    if (!ds__args_read_some("convertToCapped", op->command, args, 1, &v, err) ||
        !ds__ddl_find(op, &coll, &name, err) || !ds__ddl_refuse_view(coll, err)) {
        return false;
    }
    if (!coll) {
        return ds__error_set(err, DS_NAMESPACE_NOT_FOUND, "source collection %s.%s does not exist",
                             op->db, name);
    }
    int64_t size = ds__number_to_int64(v);
    if (size < 1 || size > (int64_t)1 << 50) {
        return ds__error_set(err, DS_INVALID_OPTIONS,
                             "Capped collection size must be greater than "
                             "zero");
    }
    ds_buf options = {0};
    ds__iter it;
    size_t root = ds__doc_begin(&options);
    ds__write_bool(&options, "capped", true);
    ds__ddl_write_number(&options, "size", (size + 255) / 256 * 256);
    ds__iter_init(&it, coll->options);
    while (ds__iter_next(&it)) {
        if (strcmp(it.key, "capped") != 0 && strcmp(it.key, "size") != 0) {
            ds_buf_add(&options, it.element, it.element_size);
        }
    }
    ds__doc_end(&options, root);
    bool ok = ds_buf_ok(&options, err) &&
              ds__ddl_set_options(op->txn, coll, ds__document(options.data), err);
    for (size_t i = 0; ok && i < coll->index_count; i++) {
        ok = coll->indexes[i].is_id || ds__ddl_drop_index(op->txn, coll, &coll->indexes[i], err);
    }
    ds_buf_clear(&options);
    return ok &&
           ds__record_evict(op->txn, ds__catalog_find_id(ds__txn_catalog(op->txn), coll->id), err);
}
