<?php
// Answers as `?` says, and writes down how it was asked.
file_put_contents('asked', json_encode([$_SERVER['REMOTE_PORT'], getallheaders()]) . "\n", FILE_APPEND);
switch ($_SERVER['QUERY_STRING']) {
    case 'redirect': header('Location: whoami.php'); http_response_code(302); break;
    case 'permanently': header('Location: whoami.php'); http_response_code(308); break;
    case 'slow': sleep(20); break;
    case 'drip': for ($i = 0; $i < 40; $i++) { echo ' '; flush(); usleep(500000); } break;
    case 'endless': for ($i = 0; $i < 20000; $i++) echo str_repeat(' ', 8192); break;
    case 'exception': throw new Exception('page');
    case 'no-json': echo 'alice'; break;
    case 'half-json': echo '{"user": {"username": "alice"}'; break;
    case 'two-json': echo '{"user": {"username": "alice"}}{}'; break;
    case 'null': echo '{"user": null}'; break;
    case 'empty': echo '{"user": {"username": ""}}'; break;
    case 'list': echo '{"user": {"username": ["alice"]}}'; break;
    case 'true': echo '{"user": {"username": true}}'; break;
    case 'control': echo '{"user": {"username": "alice\u0000"}}'; break;
    case 'number': echo '{"user": {"username": 7}}'; break;
    case 'other-session': echo '{"user": {"username": "alice"}, "sid": "other"}'; break;
    case 'no-session': echo '{"user": {"username": "alice"}}'; break;
    case 'created': http_response_code(201); echo '{"user": {"username": "alice"}}'; break;
    case 'header': header('X-User: alice'); break;
    default: http_response_code((int) $_SERVER['QUERY_STRING']); echo '{"user": {"username": "alice"}}';
}
