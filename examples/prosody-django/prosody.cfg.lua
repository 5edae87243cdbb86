-- Prosody (0.12) that lets in whoever is logged in to a Django site, by tickets, and ends their
-- connections when they log out there.
-- Whole and sufficient to start; the parts that matter for Hallpass are under "Authentication" and can
-- be copied into a prosody.cfg.lua of your own.

pidfile   = "/run/prosody/prosody.pid"
data_path = "/var/lib/prosody"
log       = { info = "/var/log/prosody/prosody.log" }

interfaces = { "*" }
c2s_ports  = { 5222 }
s2s_ports  = { }
-- Tickets come as they are (SASL PLAIN), hence never without TLS.
c2s_require_encryption = true

modules_enabled  = { "saslauth", "tls", "disco", "roster", "ping", "smacks" }
modules_disabled = { "s2s" }

-- The directory of mod_auth_hallpass.lua.
plugin_paths = { "/etc/prosody/modules" }

VirtualHost "chat.example.org"
  ssl = {
    key         = "/etc/prosody/certs/chat.example.org.key",
    certificate = "/etc/prosody/certs/chat.example.org.crt",
  }

  -- ---- Authentication --------------------------------------------------------

  authentication = "hallpass"
  -- [daemon] dialects, dialect_token and listen in hallpass.toml. Keep this file from other
  -- users: chown root:prosody, chmod 0640.
  hallpass_check_url  = "http://127.0.0.1:8090/as/prosody"
  hallpass_token      = "the dialect_token"
  hallpass_events_url = "http://127.0.0.1:8088/session/events"
