-- leadping.types: what an editor with LuaCATS (lua-language-server) is told of the
-- tables that scripts see: the API's, requests and responses, and options.
-- Nothing loads this file. spec/types_spec.lua holds it to schema and options.
-- MIT, see LICENSE.

---@meta _

-- The API's objects. Any field may be absent or null, which both are nil; enums
-- may have texts that this version does not know.

---@alias leadping.HealthStatus
---| "Not Started"
---| "Warming"
---| "Healthy"
---| "Needs Attention"
---| "Paused"
---| "Blocked"
---| "Ready"
---| "Not Evaluated"
---| "Evaluating"
---| string

---@alias leadping.SelectionReason
---| "StickyConversation"
---| "LeadAssigned"
---| "CampaignOrSource"
---| "Preferred"
---| "LocalArea"
---| "HealthyPool"
---| "FallbackDefault"
---| "ManualOverride"
---| string

---@class leadping.EligibleNumber
---@field phoneNumberId string?
---@field number string? E.164
---@field displayNumber string?
---@field healthStatus leadping.HealthStatus?
---@field healthLabel string?
---@field healthWarning string?
---@field canSend boolean?
---@field selectionReason leadping.SelectionReason?
---@field reasonLabel string?
---@field label string?
---@field campaignId string?
---@field sourceId string?
---@field teamId string?
---@field isSelected boolean?

---@class leadping.Selection
---@field canSend boolean?
---@field setupMessage string?
---@field phoneNumberId string?
---@field number string? E.164
---@field displayNumber string?
---@field healthStatus leadping.HealthStatus?
---@field healthLabel string?
---@field healthWarning string?
---@field selectionReason leadping.SelectionReason?
---@field reasonLabel string?
---@field wasManuallyOverridden boolean?
---@field campaignId string?
---@field sourceId string?
---@field eligibleNumbers leadping.EligibleNumber[]?

-- What is sent and received.

---@class leadping.Request
---@field method string "DELETE"
---@field url string
---@field headers table<string, string> the key among them

---@class leadping.Response
---@field status integer
---@field headers table<string, string> found by name in any case
---@field body string the text as received; in errors without the key
---@field attempts integer? nil from client:response, as are the next two
---@field elapsed number? seconds from the call to its end
---@field reasons string[]? why each attempt was to be tried again

-- Options, all optional; their defaults are in leadping.options and the README.

---@class leadping.CallOptions
---@field timeout number? seconds for a whole call, with retries and waits
---@field attempt_timeout number? seconds for one attempt
---@field max_retries integer? attempts after the first

---@class leadping.RunOptions: leadping.CallOptions
---@field concurrency integer? requests in flight at a time
---@field rate (number|false)? requests a second, retries included; false for no limit
---@field max_failures integer? server or connection errors in a row, by id, that end the run

---@class leadping.ClientOptions: leadping.CallOptions
---@field api_key (string|fun(): string?)? the key, or a function that returns it, called for each attempt
---@field base_url string? where the API is
---@field connect_timeout number? seconds for name look-up, connect and TLS handshake
---@field max_retry_after number? the longest Retry-After, in seconds, that is waited for
---@field max_body integer? bytes of an answer's body, unpacked
---@field ca_file string? PEM file of the only authorities to trust
---@field ca_path string? directory of hashed certificates (openssl-rehash) to trust
---@field proxy string? URL of a proxy, "" for none
---@field headers table<string, string>? further request headers, name -> value
---@field user_agent string? the User-Agent
---@field allow_http boolean? lets http:// reach hosts other than loopback, key in clear
---@field loop ("blocking"|"luv"|"cqueues"|"nginx"|leadping.Loop)? blocking, luv, cqueues, nginx, or a table that is a loop
---@field on_event (fun(event: leadping.Event))? called with a table for each event
---@field transport leadping.Transport? what sends in place of libcurl
