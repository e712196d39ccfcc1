/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a query implies a partial index's filter: then every match is in the index. Says no
 * whenever it is not sure. */
#include "bson/number.h"
#include "engine/plan/plan.h"

static bool same_path(const ds__filter *a, const ds__filter *b) {
    return a->path.size == b->path.size && a->path.text != NULL && b->path.text != NULL &&
           memcmp(a->path.text, b->path.text, a->path.size) == 0;
}

/* A value that stands for itself in comparisons: neither null-like nor an array. */
static bool plain(ds_value v) {
    return v.type != DS_NULL && v.type != DS_UNDEFINED && v.type != DS_MISSING &&
           v.type != DS_ARRAY && v.type != DS_REGEX && v.type != DS_MIN_KEY &&
           v.type != DS_MAX_KEY && !(ds__is_number(v) && ds__number_is_nan(v));
}

static bool value_satisfies(ds_value v, const ds__filter *p) {
    if (!plain(v) || !plain(p->operand)) {
        return false;
    }
    int order = ds__value_compare(v, p->operand, NULL);
    bool same_rank = ds__type_rank(v.type) == ds__type_rank(p->operand.type);
    switch (p->op) {
    case DS_FILTER_EQ:
        return order == 0;
    case DS_FILTER_LT:
        return same_rank && order < 0;
    case DS_FILTER_LTE:
        return same_rank && order <= 0;
    case DS_FILTER_GT:
        return same_rank && order > 0;
    case DS_FILTER_GTE:
        return same_rank && order >= 0;
    default:
        return false;
    }
}

static bool range_implies(const ds__filter *f, const ds__filter *p) {
    if (!plain(f->operand) || !plain(p->operand) ||
        ds__type_rank(f->operand.type) != ds__type_rank(p->operand.type)) {
        return false;
    }
    int order = ds__value_compare(f->operand, p->operand, NULL);
    bool f_less = f->op == DS_FILTER_LT || f->op == DS_FILTER_LTE;
    bool p_less = p->op == DS_FILTER_LT || p->op == DS_FILTER_LTE;
    bool p_greater = p->op == DS_FILTER_GT || p->op == DS_FILTER_GTE;
    if (f_less && p_less) {
        return order < 0 || (order == 0 && (f->op == DS_FILTER_LT || p->op == DS_FILTER_LTE));
    }
    if (!f_less && p_greater) {
        return order > 0 || (order == 0 && (f->op == DS_FILTER_GT || p->op == DS_FILTER_GTE));
    }
    return false;
}

/* Whether a match of this leaf needs the field to be there. */
static bool needs_field(const ds__filter *f) {
    switch (f->op) {
    case DS_FILTER_EQ:
    case DS_FILTER_LT:
    case DS_FILTER_LTE:
    case DS_FILTER_GT:
    case DS_FILTER_GTE:
        return plain(f->operand);
    case DS_FILTER_IN:
        for (size_t i = 0; i < f->value_count; i++) {
            if (!plain(f->values[i])) {
                return false;
            }
        }
        return true;
    case DS_FILTER_REGEX:
    case DS_FILTER_MOD:
    case DS_FILTER_TYPE:
    case DS_FILTER_SIZE:
    case DS_FILTER_BITS:
    case DS_FILTER_ELEM_MATCH_OBJECT:
    case DS_FILTER_ELEM_MATCH_VALUE:
        return true;
    case DS_FILTER_EXISTS:
        return f->flag;
    default:
        return false;
    }
}

/* {f: ObjectId(…)} implies {f: {$type: "objectId"}}. Not so for numbers and strings: 1 also equals
 * a long, "x" a symbol. */
static bool type_implied(const ds__filter *f, const ds__filter *p) {
    uint8_t want;
    int64_t number;
    if (p->operand.type == DS_STRING) {
        want = ds__type_from_name(ds__text(p->operand), p->operand.size);
    } else if (ds__value_exact_int64(p->operand, &number) && number > 0 && number < 20) {
        want = (uint8_t)number;
    } else {
        return false;
    }
    bool sure = want == DS_OBJECT_ID || want == DS_BOOL || want == DS_DATE || want == DS_DOCUMENT ||
                want == DS_BINARY || want == DS_TIMESTAMP;
    if (!sure) {
        return false;
    }
    if (f->op == DS_FILTER_EQ) {
        return f->operand.type == want;
    }
    if (f->op == DS_FILTER_IN && f->regex_count == 0 && f->value_count > 0) {
        for (size_t i = 0; i < f->value_count; i++) {
            if (f->values[i].type != want) {
                return false;
            }
        }
        return true;
    }
    return false;
}

static bool leaf_implies(const ds__filter *f, const ds__filter *p) {
    if (!same_path(f, p)) {
        return false;
    }
    if (f->op == p->op && (f->op == DS_FILTER_TYPE || f->op == DS_FILTER_EQ) &&
        f->operand.type == p->operand.type && f->operand.type != DS_MISSING &&
        ds__value_equal(f->operand, p->operand, NULL)) {
        return true;
    }
    switch (p->op) {
    case DS_FILTER_EXISTS:
        return p->flag ? needs_field(f) : f->op == DS_FILTER_EXISTS && !f->flag;
    case DS_FILTER_TYPE:
        return type_implied(f, p);
    case DS_FILTER_EQ:
    case DS_FILTER_LT:
    case DS_FILTER_LTE:
    case DS_FILTER_GT:
    case DS_FILTER_GTE:
        if (f->op == DS_FILTER_EQ) {
            return value_satisfies(f->operand, p);
        }
        if (f->op == DS_FILTER_IN && f->regex_count == 0 && f->value_count > 0) {
            for (size_t i = 0; i < f->value_count; i++) {
                if (!value_satisfies(f->values[i], p)) {
                    return false;
                }
            }
            return true;
        }
        return (f->op == DS_FILTER_LT || f->op == DS_FILTER_LTE || f->op == DS_FILTER_GT ||
                f->op == DS_FILTER_GTE) &&
               range_implies(f, p);
    default:
        return false;
    }
}

static bool in_implied(const ds__filter *f, const ds__filter *p) {
    if (!same_path(f, p) || p->regex_count > 0) {
        return false;
    }
    size_t n = f->op == DS_FILTER_IN ? f->value_count : 1;
    const ds_value *values = f->op == DS_FILTER_IN ? f->values : &f->operand;
    if ((f->op != DS_FILTER_EQ && f->op != DS_FILTER_IN) || f->regex_count > 0) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        bool found = false;
        for (size_t j = 0; j < p->value_count && !found; j++) {
            found = plain(values[i]) && ds__value_equal(values[i], p->values[j], NULL);
        }
        if (!found) {
            return false;
        }
    }
    return n > 0;
}

bool ds__plan_implies(const ds__filter *f, const ds__filter *p) {
    if (p->op == DS_FILTER_TRUE || (p->op == DS_FILTER_AND && p->child_count == 0)) {
        return true;
    }
    if (f == NULL) {
        return false;
    }
    if (p->op == DS_FILTER_AND) {
        for (size_t i = 0; i < p->child_count; i++) {
            if (!ds__plan_implies(f, p->children[i])) {
                return false;
            }
        }
        return true;
    }
    if (f->op == DS_FILTER_OR && f->child_count > 0) {
        for (size_t i = 0; i < f->child_count; i++) {
            if (!ds__plan_implies(f->children[i], p)) {
                return false;
            }
        }
        return true;
    }
    if (f->op == DS_FILTER_AND) {
        for (size_t i = 0; i < f->child_count; i++) {
            if (ds__plan_implies(f->children[i], p)) {
                return true;
            }
        }
        return false;
    }
    if (p->op == DS_FILTER_OR) {
        for (size_t i = 0; i < p->child_count; i++) {
            if (ds__plan_implies(f, p->children[i])) {
                return true;
            }
        }
        return false;
    }
    return p->op == DS_FILTER_IN ? in_implied(f, p) : leaf_implies(f, p);
}
