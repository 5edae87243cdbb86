-- Lets in whoever has a ticket of hallpassd, and ends each connection when the session from which its
-- ticket was made has ended. For Prosody 0.12; see prosody.cfg.lua and hallpass.toml beside it.
--
-- luacheck: std lua54+prosody

local async = require "util.async";
local http = require "net.http";
local json = require "util.json";
local new_sasl = require "util.sasl".new;
local timer = require "util.timer";

-- Where hallpassd is asked whether a ticket is a user's, and with which token.
local check_url = module:get_option_string("hallpass_check_url", "http://127.0.0.1:8090/as/prosody");
local token = module:get_option_string("hallpass_token", "");
-- Where it says when the session has ended.
local events_url = module:get_option_string("hallpass_events_url", "http://127.0.0.1:8088/session/events");
-- For how many seconds a login waits for it, and when a lost stream is opened again.
local longest, again = 5, 2;

-- The watch of each connection: { session, ticket, request, over }.
local watches = setmetatable({}, { __mode = "k" });

local function bearer(secret)
	return { ["Authorization"] = "Bearer " .. secret, ["Content-Type"] = "application/json" };
end

-- Whether `ticket` is one of the user's; nil when hallpassd does not say.
local function check(username, ticket)
	local wait, done = async.waiter();
	local verdict, finished;
	local function finish()
		if finished then return; end
		finished = true;
		done();
	end
	local options = {
		body = json.encode({ username = username, password = ticket });
		headers = bearer(token);
		suppress_errors = true;
	};
	http.request(check_url, options, function (body, code)
		if finished then return; end
		if code == 200 and body == "true" then
			verdict = true;
		elseif body == "false" then
			verdict = false;
		else
			module:log("error", "hallpassd does not say whether a ticket is good: %s", code);
		end
		finish();
	end);
	local late = timer.add_task(longest, finish);
	wait();
	timer.stop(late);
	return verdict;
end

local function stop(watch)
	watch.over = true;
	if watch.request and watch.request.cancel then watch.request:cancel(); end
end

local function log_out(watch)
	local session = watch.session;
	watch.over = true;
	watches[session] = nil;
	if session.destroyed then return; end
	module:log("info", "the session of a connection of %s has ended", session.username or "a user");
	-- Also one whose connection is lost, and that could be resumed.
	session:close({ condition = "conflict", text = "Logged out" });
end

local function open(watch)
	-- What has come since the last line end, and that line end.
	local text = "\n";
	local sink = {};
	function sink:write(piece)
		if watch.over or watch.session.destroyed then return stop(watch); end
		text = text .. piece;
		if text:find("\nevent: ended\n", 1, true) then
			log_out(watch);
			return stop(watch);
		end
		text = text:match("\n[^\n]*$");
		return true;
	end
	local options = {
		headers = bearer(watch.ticket);
		suppress_errors = true;
		streaming_handler = function (response)
			if response.code == 200 then return sink; end
		end;
	};
	watch.request = http.request(events_url, options, function (_, code)
		if watch.over or watch.session.destroyed then return; end
		if code == 401 or code == 403 then
			log_out(watch);
		else
			-- That says nothing of the session.
			timer.add_task(again, function ()
				if not watch.over and not watch.session.destroyed then open(watch); end
			end);
		end
	end);
end

local function let_in(session, ticket)
	if watches[session] then stop(watches[session]); end
	local watch = { session = session; ticket = ticket };
	watches[session] = watch;
	open(watch);
end

local function sasl_handler(session)
	local unavailable;
	local handler = new_sasl(module.host, {
		plain_test = function (_, username, ticket)
			-- Nothing else is a ticket, and it goes into a header.
			if not ticket:match("^[%w_-]+$") then return false, true; end
			local verdict = check(username, ticket);
			unavailable = verdict == nil;
			if verdict and session.conn then
				let_in(session, ticket);
				return true, true;
			end
			return false, true;
		end;
	});
	local process = handler.process;
	function handler:process(message)
		unavailable = false;
		local status, condition, text = process(self, message);
		if unavailable then
			return "failure", "temporary-auth-failure", "The site cannot be asked.";
		end
		return status, condition, text;
	end
	function handler.clean_clone()
		return sasl_handler(session);
	end
	return handler;
end

-- Another login has taken over this connection: what it shows counts from now on.
module:hook("smacks-hibernation-end", function (event)
	local new, old = watches[event.origin], watches[event.resumed];
	if not new or event.origin == event.resumed then return; end
	if old then stop(old); end
	watches[event.origin] = nil;
	new.session = event.resumed;
	watches[event.resumed] = new;
end);

module:hook("resource-unbind", function (event)
	local watch = watches[event.session];
	if watch then stop(watch); end
end);

function module.unload()
	-- Who watches them after that?
	for session, watch in pairs(watches) do
		stop(watch);
		if not session.destroyed then session:close({ condition = "reset" }); end
	end
end

module:provides("auth", {
	get_sasl_handler = sasl_handler;
	-- Prosody asks before it stores a message; the site knows.
	user_exists = function () return true; end;
	test_password = function () return nil, "Tickets only."; end;
	get_password = function () return nil, "Tickets only."; end;
	set_password = function () return nil, "Passwords are the site's."; end;
	create_user = function () return nil, "Accounts are the site's."; end;
	delete_user = function () return nil, "Accounts are the site's."; end;
});
