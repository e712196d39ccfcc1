/* SPDX-License-Identifier: Apache-2.0 */
/* Sorts documents by their keys: a heap of the best when limited, a stable merge sort otherwise,
 * sorted runs in a temporary file when memory runs out. Equal keys keep the order of arrival. */
#include "base/mem.h"
#include "lang/pipeline/internal.h"

enum { RUN_BUFFER = 64 * 1024, MAX_RUNS = 4096, SORT_STEPS = 2 };

/* A document with its key in front, in one piece of memory. */
typedef struct entry {
    uint64_t prefix; /* the key's first eight bytes, comparable as a number */
    uint8_t *data;   /* key, then document */
    uint32_t key_size;
    uint32_t doc_size;
    uint64_t order; /* of arrival */
} entry;

/* A sorted run in the file, read forward. */
typedef struct run {
    uint64_t at; /* next byte to read */
    uint64_t end;
    uint8_t *buffer;
    size_t cap;
    size_t have;
    size_t used;
    entry head; /* data points into the buffer */
    bool done;
} run;

struct ds__sorter {
    /* borrowed */
    const ds__sort_pattern *pattern;
    const ds__env *env;
    /* owned */
    entry *entries;
    ds_arena arena; /* documents, unless limited */
    ds_buf key;
    ds_buf beside; /* the document that is added, packed */
    run *runs;
    size_t *losers; /* a tournament of the runs: at 0 who won, at each match who lost it */
    ds__spill spill;
    /* plain */
    size_t count;
    size_t cap;
    size_t bytes;
    size_t max_bytes;
    uint64_t limit;
    uint64_t arrived;
    uint64_t given;
    size_t run_count;
    size_t at;
    const entry *last; /* given */
    bool with;         /* documents have a packed ds__meta behind them, within doc_size */
    bool allow_disk;
    bool heap; /* entries are a heap, worst on top, each with its own memory */
    bool spilled;
};

static uint64_t key_prefix(const uint8_t *key, size_t size) {
    uint64_t v = 0;
    memcpy(&v, key, size < 8 ? size : 8);
    return __builtin_bswap64(v);
}

static inline int compare_keys(const entry *a, const entry *b) {
    if (a->prefix != b->prefix) {
        return a->prefix < b->prefix ? -1 : 1;
    }
    uint32_t n = a->key_size < b->key_size ? a->key_size : b->key_size;
    int c = memcmp(a->data, b->data, n);
    return c != 0 ? c : (a->key_size > b->key_size) - (a->key_size < b->key_size);
}

static inline bool less(const entry *a, const entry *b) {
    int c = compare_keys(a, b);
    return c != 0 ? c < 0 : a->order < b->order;
}

ds__sorter *ds__sorter_new(const ds__sort_pattern *pattern, const ds__env *env, uint64_t limit,
                           size_t max_bytes, bool allow_disk, ds_error *err) {
    ds__sorter *s = ds__alloc(sizeof *s);
    if (!s) {
        ds__error_oom(err);
        return NULL;
    }
    s->pattern = pattern;
    s->env = env;
    s->arena.meter = env->kept;
    s->key.meter = s->beside.meter = env->meter;
    s->limit = limit;
    s->max_bytes = max_bytes;
    s->allow_disk = allow_disk;
    s->heap = limit > 0 && limit <= 100000;
    s->spill.fd = -1;
    return s;
}

/* Bottom-up merge sort over insertion-sorted runs of eight. */
static bool sort_entries(const ds__env *env, entry *a, size_t n, ds_error *err) {
    size_t width = 8;
    for (size_t lo = 0; lo < n; lo += width) {
        size_t hi = lo + width < n ? lo + width : n;
        for (size_t i = lo + 1; i < hi; i++) {
            entry e = a[i];
            size_t j = i;
            for (; j > lo && less(&e, &a[j - 1]); j--) {
                a[j] = a[j - 1];
            }
            a[j] = e;
        }
    }
    if (n <= width) {
        return true;
    }
    entry *tmp = ds_meter_alloc(env->kept, n * sizeof *tmp);
    if (!tmp) {
        return ds__error_oom(err);
    }
    entry *from = a;
    entry *to = tmp;
    bool ok = true;
    for (; ok && width < n; width *= 2) {
        for (size_t lo = 0; ok && lo < n; lo += 2 * width) {
            ok = ds__env_step(env, SORT_STEPS * (int64_t)width, err);
            size_t mid = lo + width < n ? lo + width : n;
            size_t hi = lo + 2 * width < n ? lo + 2 * width : n;
            size_t i = lo, j = mid, k = lo;
            while (i < mid && j < hi) {
                to[k++] = less(&from[j], &from[i]) ? from[j++] : from[i++];
            }
            while (i < mid) {
                to[k++] = from[i++];
            }
            while (j < hi) {
                to[k++] = from[j++];
            }
        }
        entry *t = from;
        from = to;
        to = t;
    }
    if (ok && from != a) {
        memcpy(a, from, n * sizeof *a);
    }
    ds_meter_free(env->kept, from == a ? to : from, n * sizeof *tmp);
    return ok;
}

static void sift_down(entry *a, size_t n, size_t i) {
    entry e = a[i];
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= n) {
            break;
        }
        if (child + 1 < n && less(&a[child], &a[child + 1])) {
            child++;
        }
        if (!less(&e, &a[child])) {
            break;
        }
        a[i] = a[child];
        i = child;
    }
    a[i] = e;
}

static void sift_up(entry *a, size_t i) {
    entry e = a[i];
    while (i > 0 && less(&a[(i - 1) / 2], &e)) {
        a[i] = a[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    a[i] = e;
}

/* Of a heap. */
static void free_entry(const ds__sorter *s, entry *e) {
    ds_meter_free(s->env->kept, e->data, (size_t)e->key_size + e->doc_size);
    e->data = NULL;
}

static void forget_entries(ds__sorter *s) {
    if (s->heap) {
        for (size_t i = 0; i < s->count; i++) {
            free_entry(s, &s->entries[i]);
        }
    }
    ds_arena_clear(&s->arena);
    s->count = 0;
    s->bytes = 0;
}

/* Writes what is in memory as one sorted run. */
static bool write_run(ds__sorter *s, ds_error *err) {
    if (s->count == 0) {
        return true;
    }
    if (s->spill.fd < 0 && !ds__spill_open(&s->spill, err)) {
        return false;
    }
    if (s->run_count >= MAX_RUNS) {
        return ds__error_set(err, DS_QUERY_EXCEEDED_MEMORY, "Sort needs too many temporary runs");
    }
    run *runs = ds_meter_realloc(s->env->kept, s->runs, s->run_count * sizeof *runs,
                                 (s->run_count + 1) * sizeof *runs);
    if (!runs) {
        return ds__error_oom(err);
    }
    s->runs = runs;
    run *r = &runs[s->run_count];
    *r = (run){.at = s->spill.size};
    if (!sort_entries(s->env, s->entries, s->count, err)) {
        return false;
    }
    size_t n = s->limit && s->limit < s->count ? (size_t)s->limit : s->count;
    for (size_t i = 0; i < n; i++) {
        const entry *e = &s->entries[i];
        uint32_t sizes[2] = {e->key_size, e->doc_size};
        if (!ds__spill_write(&s->spill, sizes, sizeof sizes, err) ||
            !ds__spill_write(&s->spill, e->data, (size_t)e->key_size + e->doc_size, err)) {
            return false;
        }
    }
    r->end = s->spill.size;
    s->run_count++;
    forget_entries(s);
    s->heap = false;
    s->spilled = true;
    return true;
}

static bool make_room(ds__sorter *s, ds_error *err) {
    const bool pressed = s->allow_disk && ds__env_is_pressed(s->env, s->bytes);
    if (s->bytes <= s->max_bytes && !pressed) {
        return true;
    }
    if (!s->allow_disk) {
        return ds__error_set(
            err, DS_QUERY_EXCEEDED_MEMORY,
            "Sort exceeded memory limit of %zu bytes, but did not opt in to external sorting.",
            s->max_bytes);
    }
    return write_run(s, err);
}

static bool fill(ds__sorter *s, entry *e, ds_value doc, ds_error *err) {
    size_t size = s->key.size + doc.size + s->beside.size;
    e->data = s->heap ? ds_meter_alloc(s->env->kept, size) : ds_arena_alloc(&s->arena, size);
    if (!e->data) {
        return ds__error_oom(err);
    }
    memcpy(e->data, s->key.data, s->key.size);
    memcpy(e->data + s->key.size, doc.as.bytes, doc.size);
    if (s->with) {
        memcpy(e->data + s->key.size + doc.size, s->beside.data, s->beside.size);
    }
    e->key_size = (uint32_t)s->key.size;
    e->doc_size = doc.size + (uint32_t)s->beside.size;
    s->bytes += size + sizeof *e;
    return true;
}

bool ds__sorter_add(ds__sorter *s, ds_value doc, ds_error *err) {
    ds_buf_reset(&s->key);
    if (!ds__sort_key(s->pattern, doc, s->env->collator, &s->key, err)) {
        return false;
    }
    if (!ds_buf_reserve(&s->key, 1)) { /* an empty pattern's key has an address, too */
        return ds__error_oom(err);
    }
    entry e = {.prefix = key_prefix(s->key.data, s->key.size),
               .data = s->key.data,
               .key_size = (uint32_t)s->key.size,
               .order = s->arrived++};
    if (s->heap && s->count == s->limit) {
        if (!less(&e, &s->entries[0])) {
            return true;
        }
        entry *top = &s->entries[0];
        s->bytes -= (size_t)top->key_size + top->doc_size + sizeof *top;
        free_entry(s, top);
        if (!fill(s, &e, doc, err)) {
            return false;
        }
        *top = e;
        sift_down(s->entries, s->count, 0);
        return make_room(s, err);
    }
    if (s->count == s->cap) {
        size_t cap = s->cap ? s->cap * 2 : 64;
        entry *grown =
            ds_meter_realloc(s->env->kept, s->entries, s->cap * sizeof *grown, cap * sizeof *grown);
        if (!grown) {
            return ds__error_oom(err);
        }
        s->entries = grown;
        s->cap = cap;
    }
    if (!fill(s, &e, doc, err)) {
        return false;
    }
    s->entries[s->count++] = e;
    if (s->heap) {
        sift_up(s->entries, s->count - 1);
    }
    return make_room(s, err);
}

bool ds__sorter_add_with(ds__sorter *s, ds_value doc, const ds__meta *meta, ds_error *err) {
    ds_assert(s->with || s->arrived == 0);
    s->with = true;
    ds_buf_reset(&s->beside);
    ds__meta_pack(meta, &s->beside);
    return ds_buf_ok(&s->beside, err) && ds__sorter_add(s, doc, err);
}

void ds__sorter_meta(const ds__sorter *s, ds__meta *out) {
    ds_assert(s->with && s->last);
    const ds_value doc = ds__document(s->last->data + s->last->key_size);
    ds_assert(doc.size < s->last->doc_size);
    ds__meta_unpack(ds__document(doc.as.bytes + doc.size), out);
}

/* Makes `size` bytes available from the run's current place. */
static bool run_need(ds__sorter *s, run *r, size_t size, ds_error *err) {
    if (r->have - r->used >= size) {
        return true;
    }
    size_t left = r->have - r->used;
    size_t want = size > RUN_BUFFER ? size : RUN_BUFFER;
    uint8_t *buffer = ds_meter_alloc(s->env->kept, want);
    if (!buffer) {
        return ds__error_oom(err);
    }
    if (left) {
        memcpy(buffer, r->buffer + r->used, left);
    }
    ds_meter_free(s->env->kept, r->buffer, r->cap);
    r->buffer = buffer;
    r->cap = want;
    size_t more = want - left;
    if (more > r->end - r->at) {
        more = (size_t)(r->end - r->at);
    }
    if (!ds__spill_read(&s->spill, r->at, buffer + left, more, err)) {
        return false;
    }
    r->at += more;
    r->used = 0;
    r->have = left + more;
    return r->have >= size || ds__corrupt(err, "sort run");
}

/* Moves a run's head to its next entry. */
static bool run_advance(ds__sorter *s, run *r, ds_error *err) {
    uint32_t sizes[2];
    r->used += (size_t)r->head.key_size + r->head.doc_size;
    r->head = (entry){.order = r->head.order};
    if (r->used == r->have && r->at == r->end) {
        r->done = true;
        return true;
    }
    if (!run_need(s, r, sizeof sizes, err)) {
        return false;
    }
    memcpy(sizes, r->buffer + r->used, sizeof sizes);
    r->used += sizeof sizes;
    size_t size = (size_t)sizes[0] + sizes[1];
    if (!run_need(s, r, size, err)) {
        return false;
    }
    r->head.data = r->buffer + r->used;
    r->head.key_size = sizes[0];
    r->head.doc_size = sizes[1];
    r->head.prefix = key_prefix(r->head.data, sizes[0]);
    return true;
}

static bool run_before(const ds__sorter *s, size_t a, size_t b) {
    const run *x = &s->runs[a];
    const run *y = &s->runs[b];
    return !x->done && (y->done || less(&x->head, &y->head));
}

/* Plays a run's matches anew, from its first to the last: all others stay as they were. A place
 * where nobody waits yet is taken, and its match played when the other one comes. */
static void play(ds__sorter *s, size_t winner) {
    for (size_t at = (winner + s->run_count) / 2; at > 0; at /= 2) {
        const size_t other = s->losers[at];
        if (other == SIZE_MAX) {
            s->losers[at] = winner;
            return;
        }
        if (run_before(s, other, winner)) {
            s->losers[at] = winner;
            winner = other;
        }
    }
    s->losers[0] = winner;
}

static bool start_merge(ds__sorter *s, ds_error *err) {
    s->losers = ds_meter_alloc(s->env->kept, s->run_count * sizeof *s->losers);
    if (!s->losers) {
        return ds__error_oom(err);
    }
    for (size_t i = 0; i < s->run_count; i++) {
        s->losers[i] = SIZE_MAX;
        s->runs[i].head.order = i; /* earlier runs hold earlier arrivals */
        if (!run_advance(s, &s->runs[i], err)) {
            return false;
        }
    }
    for (size_t i = 0; i < s->run_count; i++) {
        play(s, i);
    }
    return true;
}

bool ds__sorter_finish(ds__sorter *s, ds_error *err) {
    if (!s->spilled) {
        return sort_entries(s->env, s->entries, s->count, err);
    }
    if (!write_run(s, err) || !ds__spill_flush(&s->spill, err)) {
        return false;
    }
    s->at = SIZE_MAX;
    return start_merge(s, err);
}

static ds_next next_of_runs(ds__sorter *s, ds_value *doc, ds_error *err) {
    if (s->at != SIZE_MAX) { /* the last one's winner moves on */
        if (!run_advance(s, &s->runs[s->at], err)) {
            return DS_NEXT_ERROR;
        }
        play(s, s->at);
    }
    s->at = s->losers[0];
    if (s->runs[s->at].done) {
        s->at = SIZE_MAX;
        return DS_NEXT_END;
    }
    const entry *e = &s->runs[s->at].head;
    s->last = e;
    *doc = ds__document(e->data + e->key_size);
    return DS_NEXT_ROW;
}

ds_next ds__sorter_next(ds__sorter *s, ds_value *doc, ds_error *err) {
    if (s->limit && s->given >= s->limit) {
        return DS_NEXT_END;
    }
    s->given++;
    if (s->spilled) {
        return next_of_runs(s, doc, err);
    }
    if (s->at >= s->count) {
        return DS_NEXT_END;
    }
    const entry *e = &s->entries[s->at++];
    s->last = e;
    *doc = ds__document(e->data + e->key_size);
    return DS_NEXT_ROW;
}

void ds__sorter_free(ds__sorter *s) {
    if (!s) {
        return;
    }
    forget_entries(s);
    for (size_t i = 0; i < s->run_count; i++) {
        ds_meter_free(s->env->kept, s->runs[i].buffer, s->runs[i].cap);
    }
    ds_meter_free(s->env->kept, s->losers, s->run_count * sizeof *s->losers);
    ds_meter_free(s->env->kept, s->runs, s->run_count * sizeof *s->runs);
    ds_meter_free(s->env->kept, s->entries, s->cap * sizeof *s->entries);
    ds_buf_clear(&s->key);
    ds_buf_clear(&s->beside);
    ds__spill_close(&s->spill);
    ds__free(s);
}
