<?php
session_start(['read_and_close' => true]);
$name = $_SESSION['_sf2_attributes']['user']['username'] ?? null;
if (!is_string($name) || $name === '') { http_response_code(401); exit; }
header('Content-Type: application/json');
header('X-User: ' . $name);
echo json_encode(['user' => ['username' => $name], 'sid' => session_id()]);
