-- leadping.failure: what a transfer that brought no whole answer means.
-- Turns a session's failure into an error's fields and says what to do.
-- Does not decide about retries.
-- MIT, see LICENSE.

local answer = require "leadping.answer"

local failure = {}

-- libcurl's codes and OpenSSL's verify results (x509_vfy.h) that have a remedy.
local CURLE_UNSUPPORTED_PROTOCOL, CURLE_SSL_CONNECT_ERROR = 1, 35
local CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CACERT_BADFILE = 60, 77

local UNTRUSTED = "the certificate's authority is not trusted here: name its "
  .. "certificate in ca_file or SSL_CERT_FILE, or install the system's CA certificates"

local OTHER_HOST = "the certificate is for another host: check the host in base_url"

-- 0 and 1: the chain was good, or not looked at yet, and the name was not.
local VERIFY_REMEDIES = {
  [0] = OTHER_HOST, [1] = OTHER_HOST,
  [9] = "the certificate is not valid yet: check this machine's clock",
  [10] = "the certificate has expired: its owner must renew it; check this "
    .. "machine's clock too",
  [18] = UNTRUSTED, [19] = UNTRUSTED, [20] = UNTRUSTED, [21] = UNTRUSTED,
}

local function remedy(result)
  if result.code == CURLE_PEER_FAILED_VERIFICATION then
    return VERIFY_REMEDIES[result.verify]
  elseif result.code == CURLE_SSL_CACERT_BADFILE then
    return "check that ca_file, ca_path, SSL_CERT_FILE and CURL_CA_BUNDLE name "
      .. "readable PEM certificates"
  elseif result.code == CURLE_SSL_CONNECT_ERROR
    and result.message:find("wrong version number", 1, true) then
    return "the server does not speak TLS there: check base_url and its port"
  elseif result.code == CURLE_UNSUPPORTED_PROTOCOL then
    return "the answer is not HTTP: check base_url and its port"
  end
end

--- What is known of the override, behind one attempt without a whole answer.
-- What went over a limit or could not be unpacked did arrive: its status tells.
local function outcome(result)
  if result.sends == 0 then return "not_sent" end
  if result.status and (result.kind == "too_large" or result.kind == "decode") then
    return answer.outcome(result.status)
  end
  return "unknown"
end

--- libcurl's words, without what may hold a proxy's password.
local function clean(message)
  if message:find("^Unsupported proxy") then
    return "the proxy's URL is wrong: check proxy, https_proxy and all_proxy"
  end
  return (message:gsub("://.*@", "://"))
end

--- Fields for errors.new.
---@param result table a session's failed result (csrc/transfer.h)
function failure.fields(result)
  local hint, message = remedy(result), clean(result.message)
  return {
    kind = result.kind,
    message = hint and ("%s; %s"):format(message, hint) or message,
    outcome = outcome(result),
    retryable = result.retryable,
    status = result.status,
  }
end

return failure
