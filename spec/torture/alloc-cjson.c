/* alloc-cjson.c: counts the blocks that lua-cjson takes from malloc itself, for
 * its text buffers, told from all others by the caller's address. For that it
 * stands in for the process's malloc; it makes none fail. glibc only.
 * MIT, see LICENSE. */
#define _GNU_SOURCE

#include "alloc.h"

#include <dlfcn.h>
#include <link.h>
#include <stdint.h>
#include <string.h>

static uintptr_t cjson_start, cjson_end; /* its code and data */
static long blocks;

static void set_range(const struct dl_phdr_info *info)
{
  int i;
  for (i = 0; i < info->dlpi_phnum; i++) {
    uintptr_t start = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
    uintptr_t end = start + info->dlpi_phdr[i].p_memsz;
    if (info->dlpi_phdr[i].p_type != PT_LOAD) continue;
    if (!cjson_start || start < cjson_start) cjson_start = start;
    if (end > cjson_end) cjson_end = end;
  }
}

static int on_library(struct dl_phdr_info *info, size_t size, void *data)
{
  (void)size;
  if (!strstr(info->dlpi_name, "cjson")) return 0;
  *(const char **)data = info->dlpi_name;
  set_range(info);
  return 1;
}

/* lua_close would unload it, and a leak sanitizer lose its name. */
void watch_cjson(void)
{
  const char *path = NULL;
  if (cjson_start || !dl_iterate_phdr(on_library, &path)) return;
  (void)dlopen(path, RTLD_NOW | RTLD_NOLOAD | RTLD_NODELETE);
}

long cjson_blocks(void) { return __atomic_load_n(&blocks, __ATOMIC_SEQ_CST); }

#ifndef __SANITIZE_ADDRESS__

void *malloc(size_t size);
void *calloc(size_t number, size_t size);
void *realloc(void *block, size_t size);
void free(void *block);

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t number, size_t size);
void *__libc_realloc(void *block, size_t size);
void __libc_free(void *block);

static void count(const void *caller, const void *block, long change)
{
  uintptr_t at = (uintptr_t)caller;
  if (block && at >= cjson_start && at < cjson_end)
    (void)__atomic_add_fetch(&blocks, change, __ATOMIC_SEQ_CST);
}

void *malloc(size_t size)
{
  void *block = __libc_malloc(size);
  count(__builtin_return_address(0), block, 1);
  return block;
}

void *calloc(size_t number, size_t size)
{
  void *block = __libc_calloc(number, size);
  count(__builtin_return_address(0), block, 1);
  return block;
}

void *realloc(void *block, size_t size)
{
  void *moved = __libc_realloc(block, size);
  if (!block) count(__builtin_return_address(0), moved, 1);
  return moved;
}

void free(void *block)
{
  count(__builtin_return_address(0), block, -1);
  __libc_free(block);
}

#endif
