<?php
// Silex keeps its users like this. `large` is more than memcache keeps without compressing it.
session_start();
if (isset($_GET['logout'])) { session_destroy(); exit; }
$_SESSION['cart'] = ['a|b;"', 1.5, null, new DateTime('2026-01-01 UTC')];
// Its class refuses what is damaged, of which nobody else can know.
if (isset($_GET['plain'])) $_SESSION['cart'][3] = (object) ['a' => ['b', 'c']];
$_SESSION['cart']['self'] = &$_SESSION['cart'];
if (isset($_GET['name']))
    $_SESSION['_sf2_attributes'] = ['user' => ['username' => $_GET['name'], 'id' => 7]];
else
    unset($_SESSION['_sf2_attributes']);
if (isset($_GET['large'])) $_SESSION['zlarge'] = str_repeat('abcdefghij', 3000);
if (isset($_GET['new'])) session_regenerate_id(true);
session_write_close();
echo session_id();
