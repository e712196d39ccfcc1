/* SPDX-License-Identifier: Apache-2.0 */
/* What strings and whole numbers other values turn into. */
#include "lang/expr/internal.h"

#include "lang/expr/date.h"

/* A double as MongoDB prints it: six significant digits. */
static bool double_text(ds_arena *scratch, double v, ds_value *out, ds_error *err) {
    return ds__expr_printf(scratch, out, err, "%g", v);
}

static bool timestamp_text(ds_arena *scratch, uint64_t ts, ds_value *out, ds_error *err) {
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    ds__date_fields f;
    ds__date_split((int64_t)(ts >> 32) * 1000, &f);
    return ds__expr_printf(scratch, out, err, "%.3s %2d %02d:%02d:%02d:%u",
                           months + (size_t)3 * (size_t)(f.month - 1), f.day, f.hour, f.minute,
                           f.second, (unsigned)(uint32_t)ts);
}

bool ds__expr_coerce_string(ds_arena *scratch, ds_value v, ds_value *out, ds_error *err) {
    char text[DS_DECIMAL_TEXT_SIZE];
    switch (v.type) {
    case DS_STRING:
        *out = v;
        return true;
    case DS_CODE_TYPE:
    case DS_SYMBOL:
        *out = ds__string(ds__text(v), v.size);
        return true;
    case DS_MISSING:
    case DS_NULL:
    case DS_UNDEFINED:
        *out = ds__string("", 0);
        return true;
    case DS_DOUBLE:
        return double_text(scratch, v.as.f64, out, err);
    case DS_INT32:
        return ds__expr_printf(scratch, out, err, "%d", v.as.i32);
    case DS_INT64:
        return ds__expr_printf(scratch, out, err, "%lld", (long long)v.as.i64);
    case DS_DECIMAL:
        ds__dec_to_text(v.as.dec, text);
        return ds__expr_printf(scratch, out, err, "%s", text);
    case DS_DATE:
        return ds__date_iso_text(scratch, v.as.i64, out, err);
    case DS_TIMESTAMP:
        return timestamp_text(scratch, v.as.u64, out, err);
    default:
        return ds__error_set(err, 16007, "can't convert from BSON type %s to String",
                             ds__type_name(v.type));
    }
}

bool ds__expr_coerce_int64(ds_value v, int64_t *out, ds_error *err) {
    if (v.type == DS_DOUBLE) {
        if (!(v.as.f64 >= -0x1p63 && v.as.f64 < 0x1p63)) {
            return ds__error_set(err, 31109, "Can't coerce out of range value %g to long",
                                 v.as.f64);
        }
        *out = (int64_t)v.as.f64;
    } else if (v.type == DS_DECIMAL) {
        if (!ds__dec_to_int64(v.as.dec, DS_ROUND_HALF_EVEN, out)) {
            *out = INT64_MIN;
        }
    } else {
        *out = ds__number_to_int64(v);
    }
    return true;
}
