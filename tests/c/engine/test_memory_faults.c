/* SPDX-License-Identifier: Apache-2.0 */
/* Memory that runs out at every allocation of the engine and of SQLite. The engine's are the
 * linker's --wrap of the four functions of base/mem.c; threads that cannot be had are another. */
#include "scan_faults.h"

#include <errno.h>
#include <sqlite3.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*start)(void *), void *arg);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*start)(void *), void *arg);

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*start)(void *), void *arg) {
    return fault_now() ? EAGAIN : __real_pthread_create(thread, attributes, start, arg);
}
void *__wrap_malloc(size_t size) {
    return fault_now() ? NULL : __real_malloc(size);
}
void *__wrap_calloc(size_t n, size_t size) {
    return fault_now() ? NULL : __real_calloc(n, size);
}
void *__wrap_realloc(void *p, size_t size) {
    return fault_now() ? NULL : __real_realloc(p, size);
}
void *__wrap_aligned_alloc(size_t alignment, size_t size) {
    return fault_now() ? NULL : __real_aligned_alloc(alignment, size);
}

static sqlite3_mem_methods real;

static void *sqlite_malloc(int size) {
    return fault_now() ? NULL : real.xMalloc(size);
}
static void *sqlite_realloc(void *p, int size) {
    return fault_now() ? NULL : real.xRealloc(p, size);
}

static int fail_sqlite(void **state) {
    (void)state;
    sqlite3_config(SQLITE_CONFIG_GETMALLOC, &real);
    sqlite3_mem_methods methods = real;
    methods.xMalloc = sqlite_malloc;
    methods.xRealloc = sqlite_realloc;
    return sqlite3_config(SQLITE_CONFIG_MALLOC, &methods) == SQLITE_OK ? 0 : 1;
}

static bool out_of_memory(int code) {
    return code == DS_EXCEEDED_MEMORY_LIMIT;
}

static void memory_may_run_out_anywhere(void **state) {
    (void)state;
    assert_true(fault_everywhere(&(fault_rules){.allowed = out_of_memory}, fault_stride(11)) > 500);
}

static void memory_may_run_out_anywhere_in_long_scans(void **state) {
    (void)state;
    const fault_rules rules = {.allowed = out_of_memory};
    assert_true(scan_faults(&rules, fault_stride(7)) > 20);
    assert_true(fault_elsewhere > 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_may_run_out_anywhere_in_long_scans),
        cmocka_unit_test(memory_may_run_out_anywhere),
    };
    return cmocka_run_group_tests(tests, fail_sqlite, NULL);
}
