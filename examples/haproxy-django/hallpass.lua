-- Asks hallpassd about a request, for HAProxy 2.6 or later, with nothing else to
-- install. Copy to /etc/haproxy/ and load it with `lua-load`.
--
--   http-request lua.auth-request BACKEND TARGET
--
-- asks the first server of BACKEND that is not down, by HEAD and with the
-- request's own headers, and sets what haproxy-auth-request sets, which may be
-- loaded in place of this file:
--
--   txn.auth_response_successful  whether the answer is 2xx
--   txn.auth_response_code        its status; 500 when there is none
--   req.auth_response_header.*    its headers, `_` in place of `-`

-- How long an answer may take, in milliseconds: more than `deadline`.
local PATIENCE = 6000

-- What belongs to the client's own connection, or to a body that is not sent.
local NOT_SENT = {
  ["connection"] = true, ["content-length"] = true, ["expect"] = true,
  ["host"] = true, ["keep-alive"] = true, ["te"] = true, ["trailer"] = true,
  ["transfer-encoding"] = true, ["upgrade"] = true,
}

-- The address of a server that is not down.
local function address(backend)
  for _, server in pairs(core.backends[backend].servers) do
    local status = server:get_stats()["status"]
    if status == "no check" or status:find("^UP") then
      return server:get_addr()
    end
  end
end

local function ask(server, target, sent)
  local headers = {}
  for name, values in pairs(sent) do
    if not NOT_SENT[name] then
      headers[name] = {}
      for _, value in pairs(values) do
        table.insert(headers[name], value)
      end
    end
  end
  headers["host"] = { "localhost" }
  return core.httpclient():head({
    url = "http://127.0.0.1" .. target,
    dst = server,
    headers = headers,
    timeout = PATIENCE,
  })
end

core.register_action("auth-request", { "http-req" }, function(txn, backend, target)
  txn:set_var("txn.auth_response_successful", false)
  txn:set_var("txn.auth_response_code", 500)
  local server = core.backends[backend] and address(backend)
  if not server then
    txn:Alert("auth-request: no server of backend " .. backend .. " is up\n")
    return
  end
  local answer = ask(server, target, txn.http:req_get_headers())
  if not answer or not answer.status or answer.status == 0 then
    txn:Warning("auth-request: " .. backend .. " does not answer\n")
    return
  end
  txn:set_var("txn.auth_response_code", answer.status)
  for name, values in pairs(answer.headers) do
    for _, value in pairs(values) do
      txn:set_var("req.auth_response_header." .. name:gsub("[^%w]", "_"), value)
    end
  end
  txn:set_var("txn.auth_response_successful", answer.status >= 200 and answer.status < 300)
end, 2)
