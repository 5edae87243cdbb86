%% Loads each file that is named as ejabberd's configuration, and says what ejabberd makes of it: a
%% line for each host with its methods and whether it caches, or that it does not start.
-module(resolved_options).
-export([main/0]).

main() ->
    [application:ensure_all_started(It)
     || It <- [p1_utils, fast_yaml, p1_yaml, stringprep, xmpp, idna]],
    application:load(ejabberd),
    lists:foreach(fun load/1, init:get_plain_arguments()),
    halt().

load(File) ->
    catch ets:delete(ejabberd_options),
    ok = file:set_cwd(filename:dirname(File)),
    os:putenv("EJABBERD_CONFIG_PATH", File),
    case (catch ejabberd_config:load()) of
        ok ->
            Hosts = ejabberd_option:hosts(),
            lists:foreach(fun(Host) -> host(File, Host) end, Hosts);
        Error ->
            io:format("~s\trefused\t~0P~n", [File, Error, 12])
    end.

host(File, Host) ->
    Methods = [atom_to_list(It) || It <- ejabberd_option:auth_method(Host)],
    io:format("~s\t~s\t~s\t~p\t~p\t~s~n",
              [File, Host, string:join(Methods, ","), ejabberd_option:auth_use_cache(Host),
               ejabberd_option:extauth_pool_size(Host), ejabberd_option:extauth_program(Host)]).
