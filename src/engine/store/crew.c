/* SPDX-License-Identifier: Apache-2.0 */
/* Leaves are handed out in portions, in a ring: who asks fills it, threads take portions out of it
 * and put what they found there, and who asks reads them in their order. Rather than wait it works
 * on a portion itself. A portion that failed is read once more by who asks, row by row, so that
 * errors are those of a plain scan and come at the same row. */
#include "engine/store/crew.h"

#include <signal.h>

#include "base/mem.h"
#include "base/system.h"

enum {
    LEAVES = 24,             /* of a portion */
    HELPERS = 7,             /* at most */
    RING = 2 * HELPERS + 2,  /* a power of two */
    MOST_BYTES = 512 * 1024, /* found in a portion; it fails beyond */
    MOST_ROWS = 128 * 1024   /* the same in bytes of found_row */
};

typedef enum portion_state {
    PORTION_FREE,
    PORTION_READY, /* to be worked on */
    PORTION_TAKEN,
    PORTION_DONE,
    PORTION_FAILED
} portion_state;

typedef struct found_row {
    int64_t rid;
    uint64_t passed; /* rows before it, from the one found before */
    size_t at;       /* in the portion's documents */
} found_row;

typedef struct portion {
    /* owned */
    ds_buf docs;
    ds_buf rows; /* found_row */
    /* plain */
    uint32_t numbers[LEAVES];
    size_t count;
    uint64_t passed; /* rows behind the last one found */
    portion_state state;
} portion;

typedef struct helper {
    pthread_t thread;
    ds__crew *crew;
    ds__leaves *member; /* owned */
} helper;

struct ds__crew {
    /* owned */
    pthread_mutex_t lock; /* states of portions, `taken`, `stop` */
    pthread_cond_t work;
    pthread_cond_t done;
    helper helpers[HELPERS];
    ds__leaves *member; /* of who asks */
    portion ring[RING];
    /* borrowed */
    ds__store *store;
    ds__leaves *leaves;
    ds__row_test test;
    const void *ctx;
    ds_meter *meter; /* charged for what all portions and members may hold; may be NULL */
    /* plain */
    size_t charged;
    uint32_t generation; /* of the process that has its threads */
    size_t helper_count;
    size_t reserved; /* of the store's processors */
    size_t ahead;    /* portions in the ring at a time */
    uint64_t filled; /* portions put into the ring */
    uint64_t taken;  /* the next to be taken */
    uint64_t at;     /* the one that is read */
    size_t row;      /* of that */
    size_t leaf;     /* of that, when it failed; 0: none is entered */
    uint64_t passed; /* since the last row given */
    bool ended;      /* all leaves are handed out */
    bool stop;       /* atomic too */
};

static portion *portion_of(ds__crew *crew, uint64_t number) {
    return &crew->ring[number & (RING - 1)];
}

/* Whether the portion holds what it should: without memory, or of too many bytes, it does not. */
static bool work_on(ds__crew *crew, ds__leaves *member, portion *p) {
    ds_error ignored = {0};
    ds_value doc;
    found_row row = {0};
    p->passed = 0;
    for (size_t i = 0; i < p->count; i++) {
        ds_next next = DS_NEXT_ERROR;
        if (__atomic_load_n(&crew->stop, __ATOMIC_RELAXED) ||
            !ds__leaf_enter(member, p->numbers[i], &ignored)) {
            return false;
        }
        while ((next = ds__leaf_next(member, &row.rid, &doc, &ignored)) == DS_NEXT_ROW) {
            if (!crew->test(crew->ctx, doc)) {
                p->passed++;
                continue;
            }
            row.passed = p->passed;
            row.at = p->docs.size;
            p->passed = 0;
            ds_buf_add(&p->docs, doc.as.bytes, doc.size);
            ds_buf_add(&p->rows, &row, sizeof row);
            if (p->docs.failed || p->rows.failed) {
                return false;
            }
        }
        if (next == DS_NEXT_ERROR || ds__leaves_failed(member)) {
            return false;
        }
    }
    return true;
}

/* Takes a portion and works on it; false: none is ready. Called with the lock. */
static bool take(ds__crew *crew, ds__leaves *member) {
    if (crew->taken == crew->filled) {
        return false;
    }
    portion *p = portion_of(crew, crew->taken++);
    p->state = PORTION_TAKEN;
    pthread_mutex_unlock(&crew->lock);
    const bool ok = work_on(crew, member, p);
    pthread_mutex_lock(&crew->lock);
    p->state = ok ? PORTION_DONE : PORTION_FAILED;
    pthread_cond_signal(&crew->done);
    return true;
}

static void *help(void *arg) {
    helper *h = arg;
    ds__crew *crew = h->crew;
    pthread_mutex_lock(&crew->lock);
    while (!crew->stop) {
        if (!take(crew, h->member)) {
            pthread_cond_wait(&crew->work, &crew->lock);
        }
    }
    pthread_mutex_unlock(&crew->lock);
    return NULL;
}

/* How many processors are idle, as far as this store knows: they are reserved. */
static size_t reserve(ds__store *store) {
    const size_t processors = ds__processors();
    size_t most = HELPERS;
    if (store->options.scan_threads > 0 && (size_t)store->options.scan_threads <= HELPERS) {
        most = (size_t)store->options.scan_threads - 1;
    }
    pthread_mutex_lock(&store->lock);
    const size_t busy = store->active + store->helpers;
    size_t n = processors > busy ? processors - busy : 0;
    if (store->options.scan_threads > 1) {
        n = most; /* it was asked for */
    }
    n = n < most ? n : most;
    store->helpers += n;
    pthread_mutex_unlock(&store->lock);
    return n;
}

static void give_back(ds__store *store, size_t n) {
    pthread_mutex_lock(&store->lock);
    store->helpers -= n;
    pthread_mutex_unlock(&store->lock);
}

/* Signals are for the threads of the program. */
static void start_helpers(ds__crew *crew) {
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    for (size_t i = 0; i < crew->reserved; i++) {
        helper *h = &crew->helpers[crew->helper_count];
        h->crew = crew;
        h->member = ds__leaves_member(crew->leaves);
        if (!h->member || pthread_create(&h->thread, NULL, help, h) != 0) {
            ds__leaves_close(h->member);
            break;
        }
        crew->helper_count++;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* What they may hold is charged at once, by who asks, unless the operation may need it itself. */
static bool charge(ds__crew *crew, ds_meter *meter) {
    const size_t size =
        crew->ahead * (MOST_BYTES + MOST_ROWS) + (crew->reserved + 1) * DS_MEMBER_ROW;
    if (meter && ((meter->limit && meter->held + size > meter->limit / 2) ||
                  !ds_meter_charge(meter, size))) {
        return false;
    }
    crew->meter = meter;
    crew->charged = size;
    return true;
}

ds__crew *ds__crew_open(ds__txn *txn, ds__leaves *leaves, ds__row_test test, const void *ctx) {
    const size_t reserved = reserve(txn->store);
    ds__crew *crew = reserved > 0 ? ds__alloc(sizeof *crew) : NULL;
    if (!crew) {
        give_back(txn->store, reserved);
        return NULL;
    }
    crew->generation = ds__fork_generation();
    crew->store = txn->store;
    crew->leaves = leaves;
    crew->test = test;
    crew->ctx = ctx;
    crew->reserved = reserved;
    crew->ahead = 2 * reserved + 2;
    pthread_mutex_init(&crew->lock, NULL);
    pthread_cond_init(&crew->work, NULL);
    pthread_cond_init(&crew->done, NULL);
    for (size_t i = 0; i < RING; i++) {
        ds_buf_init(&crew->ring[i].docs, MOST_BYTES);
        ds_buf_init(&crew->ring[i].rows, MOST_ROWS);
    }
    crew->member = charge(crew, txn->meter) ? ds__leaves_member(leaves) : NULL;
    if (crew->member) {
        start_helpers(crew);
    }
    if (crew->helper_count == 0) {
        ds__crew_close(crew);
        return NULL;
    }
    return crew;
}

/* A child that was forked meanwhile has no threads but the one that asks. */
static bool is_foreign(const ds__crew *crew) {
    return crew->generation != ds__fork_generation();
}

static void stop_helpers(ds__crew *crew) {
    pthread_mutex_lock(&crew->lock);
    __atomic_store_n(&crew->stop, true, __ATOMIC_RELAXED);
    pthread_cond_broadcast(&crew->work);
    pthread_mutex_unlock(&crew->lock);
    for (size_t i = 0; i < crew->helper_count; i++) {
        pthread_join(crew->helpers[i].thread, NULL);
    }
    pthread_cond_destroy(&crew->done);
    pthread_cond_destroy(&crew->work);
    pthread_mutex_destroy(&crew->lock);
    give_back(crew->store, crew->reserved);
}

void ds__crew_close(ds__crew *crew) {
    if (!crew) {
        return;
    }
    if (!is_foreign(crew)) {
        stop_helpers(crew);
    }
    for (size_t i = 0; i < crew->helper_count; i++) {
        ds__leaves_close(crew->helpers[i].member);
    }
    for (size_t i = 0; i < RING; i++) {
        ds_buf_clear(&crew->ring[i].docs);
        ds_buf_clear(&crew->ring[i].rows);
    }
    ds__leaves_close(crew->member);
    ds_meter_give(crew->meter, crew->charged);
    ds__free(crew);
}

/* Puts portions into the ring as far as there is room. */
static bool fill(ds__crew *crew, ds_error *err) {
    while (!crew->ended && crew->filled - crew->at < crew->ahead) {
        portion *p = portion_of(crew, crew->filled);
        ds_buf_reset(&p->docs);
        ds_buf_reset(&p->rows);
        const bool first = crew->filled == crew->at;
        if (!ds__leaves_ahead(crew->leaves, first, p->numbers, LEAVES, &p->count, err)) {
            return false;
        }
        if (p->count == 0) {
            crew->ended = first;
            break;
        }
        pthread_mutex_lock(&crew->lock);
        p->state = PORTION_READY;
        crew->filled++;
        pthread_cond_signal(&crew->work);
        pthread_mutex_unlock(&crew->lock);
    }
    return true;
}

/* Waits for the portion that is next; works meanwhile. */
static portion_state await(ds__crew *crew, portion *p) {
    pthread_mutex_lock(&crew->lock);
    while (p->state == PORTION_READY || p->state == PORTION_TAKEN) {
        if (!take(crew, crew->member)) {
            pthread_cond_wait(&crew->done, &crew->lock);
        }
    }
    const portion_state state = p->state;
    pthread_mutex_unlock(&crew->lock);
    return state;
}

static void go_on(ds__crew *crew) {
    crew->at++;
    crew->row = crew->leaf = 0;
}

/* The next row of a portion that is whole. */
static ds_next next_found(ds__crew *crew, portion *p, ds__scan_row *row) {
    found_row found;
    if ((crew->row + 1) * sizeof found > p->rows.size) {
        crew->passed += p->passed;
        go_on(crew);
        return DS_NEXT_END;
    }
    memcpy(&found, p->rows.data + crew->row++ * sizeof found, sizeof found);
    row->rid = found.rid;
    row->doc = ds__document(p->docs.data + found.at);
    row->passed = crew->passed + found.passed;
    crew->passed = 0;
    return DS_NEXT_ROW;
}

/* The next row of one that is not, read plainly. */
static ds_next next_plain(ds__crew *crew, portion *p, ds__scan_row *row, ds_error *err) {
    for (;;) {
        ds_next next = DS_NEXT_END;
        if (crew->leaf > 0) {
            next = ds__leaf_next(crew->leaves, &row->rid, &row->doc, err);
        }
        if (next != DS_NEXT_END) {
            row->passed = crew->passed;
            crew->passed = 0;
            return next;
        }
        if (ds__leaves_failed(crew->leaves) || crew->leaf == p->count) {
            go_on(crew);
            return DS_NEXT_END;
        }
        if (!ds__leaf_enter(crew->leaves, p->numbers[crew->leaf++], err)) {
            return DS_NEXT_ERROR;
        }
    }
}

ds_next ds__crew_next(ds__crew *crew, ds__scan_row *row, ds_error *err) {
    if (is_foreign(crew)) {
        ds__error_set(err, DS_INTERRUPTED, "operation was interrupted");
        return DS_NEXT_ERROR;
    }
    for (;;) {
        if (ds__leaves_failed(crew->leaves)) {
            return DS_NEXT_END;
        }
        if (crew->row == 0 && crew->leaf == 0 && !fill(crew, err)) {
            return DS_NEXT_ERROR;
        }
        if (crew->at == crew->filled) {
            row->passed = crew->passed;
            crew->passed = 0;
            return DS_NEXT_END;
        }
        portion *p = portion_of(crew, crew->at);
        ds_next next = await(crew, p) == PORTION_DONE ? next_found(crew, p, row)
                                                      : next_plain(crew, p, row, err);
        if (next != DS_NEXT_END) {
            return next;
        }
    }
}
