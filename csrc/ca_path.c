/* ca_path.c: finds the system's directory of hashed CA certificates.
 * OpenSSL reads from such a directory only the certificates that it needs,
 * where a bundle is parsed whole for each new handle.
 * MIT, see LICENSE. */
#define _POSIX_C_SOURCE 200809L

#include <dirent.h>
#include <string.h>

#include <curl/curl.h>

#include "compat.h"
#include "core.h"

/* Fewer names than this are somebody's own, not the system's authorities. */
#define HASHES_MIN 20

/* Where Debian and Ubuntu (Alpine and Arch too), and Fedora, have it. */
static const char *const directories[] = {
    "/etc/ssl/certs", "/etc/pki/ca-trust/extracted/pem/directory-hash", NULL};

/* "5ad8a5d6.0": openssl-rehash(1) */
static int is_hash_name(const char *name)
{
  return strspn(name, "0123456789abcdef") == 8 && name[8] == '.' &&
         strspn(name + 9, "0123456789") == strlen(name + 9);
}

static int is_hashed(const char *path)
{
  DIR *directory = opendir(path);
  struct dirent *entry;
  int hashes = 0;
  if (!directory) return 0;
  while (hashes < HASHES_MIN && (entry = readdir(directory)) != NULL)
    hashes += is_hash_name(entry->d_name);
  closedir(directory);
  return hashes == HASHES_MIN;
}

static int is_openssl(void)
{
  const char *tls = curl_version_info(CURLVERSION_NOW)->ssl_version;
  return tls && strncmp(tls, "OpenSSL/", 8) == 0;
}

/* ca_path() -> path of the system's hashed directory | nil where there is none
 * or libcurl's TLS library does not use such directories. */
int core_ca_path(lua_State *L)
{
  const char *const *directory = directories;
  while (*directory && !is_hashed(*directory)) directory++;
  lua_pushstring(L, is_openssl() ? *directory : NULL); /* NULL becomes nil */
  return 1;
}
