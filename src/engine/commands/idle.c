/* SPDX-License-Identifier: Apache-2.0 */
/* A list of each kind, in the order in which its members were put down. */
#include "engine/commands/idle.h"

#include <pthread.h>
#include <string.h>

#include "base/mem.h"

enum { RECORD_MS = 60 * 1000 };

typedef struct list {
    ds__idle_item *first; /* unused longest */
    ds__idle_item *last;
    size_t bytes;
} list;

struct ds__idle {
    /* owned */
    pthread_mutex_t lock; /* within those of cursors and sessions */
    /* borrowed */
    list lists[DS_IDLE_KINDS];
    /* plain */
    size_t limit;
    uint64_t uses; /* how often something was put down */
};

ds__idle *ds__idle_new(size_t limit) {
    ds__idle *idle = ds__alloc(sizeof *idle);
    if (idle) {
        idle->limit = limit;
        pthread_mutex_init(&idle->lock, NULL);
    }
    return idle;
}

void ds__idle_free(ds__idle *idle) {
    if (idle) {
        pthread_mutex_destroy(&idle->lock);
        ds__free(idle);
    }
}

void ds__idle_forget(ds__idle *idle) {
    memset(idle->lists, 0, sizeof idle->lists);
    pthread_mutex_init(&idle->lock, NULL);
}

static void link_last(ds__idle *idle, ds__idle_item *item) {
    list *l = &idle->lists[item->kind];
    item->after = NULL;
    item->before = l->last;
    *(l->last ? &l->last->after : &l->first) = item;
    l->last = item;
    l->bytes += item->bytes;
}

static void unlink_item(ds__idle *idle, ds__idle_item *item) {
    list *l = &idle->lists[item->kind];
    *(item->before ? &item->before->after : &l->first) = item->after;
    *(item->after ? &item->after->before : &l->last) = item->before;
    l->bytes -= item->bytes;
}

void ds__idle_add(ds__idle *idle, ds__idle_item *item, ds__idle_kind kind, size_t bytes,
                  int64_t now_ms) {
    pthread_mutex_lock(&idle->lock);
    *item =
        (ds__idle_item){.kind = kind, .bytes = bytes, .order = ++idle->uses, .since_ms = now_ms};
    link_last(idle, item);
    pthread_mutex_unlock(&idle->lock);
}

void ds__idle_change(ds__idle *idle, ds__idle_item *item, ds__idle_kind kind, size_t bytes) {
    pthread_mutex_lock(&idle->lock);
    unlink_item(idle, item);
    item->kind = kind;
    item->bytes = bytes;
    link_last(idle, item);
    pthread_mutex_unlock(&idle->lock);
}

void ds__idle_remove(ds__idle *idle, ds__idle_item *item) {
    pthread_mutex_lock(&idle->lock);
    if (item->order) {
        unlink_item(idle, item);
        item->order = 0;
    }
    pthread_mutex_unlock(&idle->lock);
}

/* The one of a kind that goes next; NULL: none may. Under the lock. */
static ds__idle_item *oldest(const ds__idle *idle, ds__idle_kind kind, int64_t now_ms) {
    ds__idle_item *item = idle->lists[kind].first;
    bool stays = item && (kind == DS_IDLE_RECORD ? now_ms - item->since_ms < RECORD_MS
                                                 : item->order == idle->uses);
    return stays ? NULL : item;
}

/* What goes next. The newest stays, however much it is. Under the lock. */
static ds__idle_item *next(const ds__idle *idle, int64_t now_ms) {
    static const ds__idle_kind first[] = {DS_IDLE_CURSOR, DS_IDLE_SESSION, DS_IDLE_RECORD};
    ds__idle_item *best = NULL;
    size_t bytes = 0;
    for (size_t i = 0; i < DS_IDLE_KINDS; i++) {
        bytes += idle->lists[i].bytes;
    }
    if (bytes <= idle->limit) {
        return NULL;
    }
    for (size_t i = 0; i < sizeof first / sizeof *first; i++) {
        ds__idle_item *item = oldest(idle, first[i], now_ms);
        if (item && (!best || item->order < best->order)) {
            best = item;
        }
    }
    return best ? best : oldest(idle, DS_IDLE_TRANSACTION, now_ms);
}

ds__idle_item *ds__idle_oldest(ds__idle *idle, ds__idle_kind kind, int64_t now_ms) {
    pthread_mutex_lock(&idle->lock);
    ds__idle_item *item = next(idle, now_ms);
    if (item && item->kind != kind) {
        item = NULL;
    }
    pthread_mutex_unlock(&idle->lock);
    return item;
}

void ds__idle_shrink(ds_engine *engine, int64_t now_ms) {
    ds__idle *idle = engine->idle;
    for (;;) {
        pthread_mutex_lock(&idle->lock);
        const ds__idle_item *item = next(idle, now_ms);
        const ds__idle_kind kind = item ? item->kind : DS_IDLE_KINDS;
        pthread_mutex_unlock(&idle->lock);
        if (kind == DS_IDLE_KINDS) {
            return;
        }
        if (kind == DS_IDLE_CURSOR) {
            ds__cursors_drop_oldest(engine, now_ms);
        } else {
            ds__sessions_drop_oldest(engine, kind, now_ms);
        }
    }
}

bool ds__idle_is_full(ds__idle *idle, int64_t now_ms) {
    pthread_mutex_lock(&idle->lock);
    bool full =
        idle->lists[DS_IDLE_RECORD].bytes > idle->limit && !oldest(idle, DS_IDLE_RECORD, now_ms);
    pthread_mutex_unlock(&idle->lock);
    return full;
}
