<?php
// Holds the session for as long as it runs.
session_start();
touch('started');
for ($i = 0; $i < 6000 && !file_exists('go on'); $i++) { usleep(10000); clearstatcache(); }
