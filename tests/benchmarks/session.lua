-- What an administrator writes in place of hallpassd: the peer of the benchmark. It lets in whoever
-- has a session in Redis, without a look at its signature, its account or that account's password.
local redis = require "nginx.redis"
local store = redis:new()
store:set_timeout(1000)
local connected = store:connect("127.0.0.1", tonumber(ngx.var.redis_port))
if not connected then return ngx.exit(503) end
local token = ngx.var.cookie_sessionid
local session = token and store:get(ngx.var.key_prefix .. token)
store:set_keepalive(60000, 32)
if not session or session == ngx.null then return ngx.exit(401) end
