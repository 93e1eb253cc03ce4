/* failures.h: what libcurl's error codes mean to a caller, in one table. What
 * to do about some of them, lua/leadping/failure.lua says. FAILURE(code, kind,
 * retryable): kind as in the README's table of errors; retryable is 0 where the
 * same request is bound to fail again. A code that is not listed is a retryable
 * "connection". MIT, see LICENSE. */
#ifndef LEADPING_FAILURES_H
#define LEADPING_FAILURES_H

#define FAILURES(FAILURE)                                                      \
  FAILURE(CURLE_OPERATION_TIMEDOUT, "timeout", 1)                              \
  FAILURE(CURLE_SSL_CONNECT_ERROR, "tls", 1)                                   \
  FAILURE(CURLE_PEER_FAILED_VERIFICATION, "tls", 0)                            \
  FAILURE(CURLE_SSL_CACERT_BADFILE, "tls", 0)                                  \
  FAILURE(CURLE_SSL_CERTPROBLEM, "tls", 0)                                     \
  FAILURE(CURLE_SSL_CIPHER, "tls", 0)                                          \
  FAILURE(CURLE_SSL_ENGINE_NOTFOUND, "tls", 0)                                 \
  FAILURE(CURLE_SSL_ENGINE_SETFAILED, "tls", 0)                                \
  FAILURE(CURLE_SSL_ENGINE_INITFAILED, "tls", 0)                               \
  FAILURE(CURLE_SSL_CRL_BADFILE, "tls", 0)                                     \
  FAILURE(CURLE_SSL_ISSUER_ERROR, "tls", 0)                                    \
  FAILURE(CURLE_SSL_PINNEDPUBKEYNOTMATCH, "tls", 0)                            \
  FAILURE(CURLE_SSL_INVALIDCERTSTATUS, "tls", 0)                               \
  FAILURE(CURLE_SSL_CLIENTCERT, "tls", 0)                                      \
  FAILURE(CURLE_BAD_CONTENT_ENCODING, "decode", 0)                             \
  FAILURE(CURLE_UNSUPPORTED_PROTOCOL, "connection", 0)                         \
  FAILURE(CURLE_URL_MALFORMAT, "connection", 0)

#endif
