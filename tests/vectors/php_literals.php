<?php
/*
 * PHP files and what PHP makes of them.
 *
 *     php tests/vectors/php_literals.php > crates/php-literals/tests/data/php_literals.json
 *
 * Each file is run by a PHP of its own (`include`), which tells what its variables, the properties
 * of a new JConfig and its constants are then. `literal` names those that must be read without
 * running it, `computed` those that must not be; of the others no value may be read but PHP's.
 * A name is `$variable`, `JConfig::property` or `CONSTANT`.
 */

mt_srand(7);
$cases = [];

/** Runs a file in another process. */
function run(string $source): ?array
{
    $file = tempnam(sys_get_temp_dir(), 'literals');
    file_put_contents($file, $source);
    $code = <<<'CODE'
        ob_start();
        (function () {
            include $_SERVER['argv'][1];
            $found = [];
            foreach (get_defined_vars() as $name => $value) {
                $name === 'found' || $found['$' . $name] = $value;
            }
            if (class_exists('JConfig', false)) {
                foreach (get_object_vars(new JConfig()) as $name => $value) {
                    $found['JConfig::' . $name] = $value;
                }
            }
            $found += get_defined_constants(true)['user'] ?? [];
            $typed = function (mixed $value) use (&$typed): mixed {
                return match (true) {
                    is_string($value) => preg_match('//u', $value) ? ['text' => $value] : ['bytes' => bin2hex($value)],
                    is_int($value) => ['integer' => (string) $value],
                    is_float($value) => ['float' => var_export($value, true)],
                    is_bool($value) => ['boolean' => $value],
                    is_null($value) => ['null' => true],
                    is_array($value) => ['array' => array_map(fn ($key) => [$typed($key), $typed($value[$key])], array_keys($value))],
                    default => ['object' => get_class($value)],
                };
            };
            fwrite(STDERR, json_encode(array_map($typed, $found), JSON_THROW_ON_ERROR | JSON_FORCE_OBJECT * !$found));
        })();
        CODE;
    $process = proc_open(
        [PHP_BINARY, '-d', 'display_errors=0', '-d', 'log_errors=0', '-d', 'short_open_tag=0', '-r', $code, $file],
        [['file', '/dev/null', 'r'], ['file', '/dev/null', 'w'], ['pipe', 'w']],
        $pipes,
    );
    $answer = stream_get_contents($pipes[2]);
    proc_close($process);
    unlink($file);
    return $answer === '' ? null : json_decode($answer, true);
}

function add(string $note, string $source, string $literal = '', string $computed = ''): void
{
    global $cases;
    $names = fn (string $list) => preg_split('/ /', $list, -1, PREG_SPLIT_NO_EMPTY);
    $found = run($source);
    foreach ($names($literal) as $name) {
        isset($found[$name]) || str_contains($name, '[') || fwrite(STDERR, "$note: PHP has no $name\n");
    }
    $cases[] = json_encode(['note' => $note, 'source' => bin2hex($source), 'literal' => $names($literal),
        'computed' => $names($computed), 'expected' => $found === null ? null : (object) $found], JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE | JSON_THROW_ON_ERROR);
}

add('Joomla 4', <<<'PHP'
    <?php
    class JConfig {
    	public $offline = false;
    	public $sitename = 'L\'été';
    	public $dbtype = 'mysqli';
    	public $host = '127.0.0.1:33971';
    	public $password = 'p"a$s\\s\'w{$o}rd';
    	public $secret = 'TK0JI2K0m4hXPWcE';
    	public $lifetime = 15;
    	public $access = 1;
    	public $ratio = 1.5;
    	public $dbencryption = 0;
    	public $proxy = array('a' => 'b', 'c');
    	public $log_priorities = array('0' => 'all');
    	public $session_metadata = true;
    	public $nothing = null;
    	public $unset;
    }
    PHP, 'JConfig::offline JConfig::sitename JConfig::dbtype JConfig::host JConfig::password JConfig::secret JConfig::lifetime JConfig::ratio JConfig::proxy JConfig::log_priorities JConfig::session_metadata JConfig::nothing JConfig::unset');
add('Joomla 1.5', "<?php\nclass JConfig {\nvar \$offline = '0';\nvar \$secret = \"a\\\"b\";\n/* c */ var \$lifetime = '15'; # d\n var \$a = 1, \$b = 'two';\n}\n?>", 'JConfig::offline JConfig::secret JConfig::lifetime JConfig::a JConfig::b');
add('modern Joomla', <<<'PHP'
    <?php
    declare(strict_types=1);
    namespace { final class JConfig { public string $a = 'x'; protected ?int $b = 5; public int|string|null $c = null; public static $d = 's'; public readonly string $e; const F = 1; } }
    PHP);
add('typed properties', "<?php\nfinal class JConfig { public string \$a = 'x'; public ?int \$b = 5; public int|string|null \$c = null; public int \$d; const F = 1; public array \$g = ['x' => [1, 2]]; }", 'JConfig::a JConfig::b JConfig::c JConfig::g', 'JConfig::d');
add('properties that are computed', <<<'PHP'
    <?php
    const HOST = 'h';
    class JConfig {
        public $a = 'x';
        public $b = HOST;
        public $c = self::D;
        const D = 'd';
        public $e = 60 * 24;
        public $f = 'after';
        public $g = 1 ? 'y' : 'n';
        public $h = ['k' => HOST];
        public $i = PHP_VERSION . 'x';
        public $j = 'l' . 'm' . 5 . true;
        public $k = __DIR__ . '/x';
    }
    PHP, 'JConfig::a JConfig::f JConfig::j HOST', 'JConfig::b JConfig::c JConfig::e JConfig::g JConfig::h JConfig::i JConfig::k');
add('a constructor', <<<'PHP'
    <?php
    class JConfig {
        public $a = 'x';
        public $b = 'y';
        public function __construct() { $a = 1; $this->b = getenv('HOME') . 'z'; }
        public $c = 'z';
    }
    PHP, 'JConfig::a JConfig::c', 'JConfig::b');
add('a constructor that does anything', <<<'PHP'
    <?php
    class JConfig {
        public $a = 'x';
        function __construct() { foreach (['a', 'b'] as $name) { $this->$name = 'other'; } }
        public $b = 'y';
    }
    PHP, '', 'JConfig::a JConfig::b');
add('a constructor that hands itself on', "<?php\nfunction f(\$o) { \$o->a = 'z'; }\nclass JConfig { public \$a = 'x'; function __construct() { f(\$this); } }", '', 'JConfig::a');
add('a parent', "<?php\nclass P { function __construct() { \$this->a = 'z'; } }\nclass JConfig extends P { public \$a = 'x'; }", '', 'JConfig::a JConfig::b');
add('a trait', "<?php\ntrait T { function __construct() { \$this->a = 'z'; } }\nclass JConfig { use T; public \$a = 'x'; }", '', 'JConfig::a');
add('two classes', "<?php\nclass Other { public \$a = 'o'; }\nclass jconfig { public \$a = 'x'; }", 'JConfig::a');
add('a class in a branch', "<?php\nif (true) { class JConfig { public \$a = 'x'; } }");
// Elements of arrays are named `$variable[key][key]`.
add('Drupal 7', <<<'PHP'
    <?php
    $databases = array (
      'default' => array ('default' => array ('database' => 'd7', 'username' => 'u', 'password' => 'p\'w', 'host' => '127.0.0.1', 'port' => '', 'driver' => 'mysql', 'prefix' => array('default' => 'a_', 'users' => 'shared_'))),
    );
    $update_free_access = FALSE;
    $drupal_hash_salt = 'Yw1';
    ini_set('session.gc_probability', 1);
    # $base_url = 'http://www.example.com';
    $base_url = 'https://www.example.org/base';
    $conf['404_fast_html'] = '<!DOCTYPE html>';
    $conf['https'] = TRUE;
    PHP, '$databases $databases[default][default][database] $databases[default][default][prefix][users] $conf $conf[https] $base_url');
add('Drupal 10', <<<'PHP'
    <?php
    $databases = [];
    $settings['hash_salt'] = 'c4S';
    $app_root = '/srv'; $site_path = 'sites/default';
    $settings['container_yamls'][] = $app_root . '/' . $site_path . '/services.yml';
    $settings['file_scan_ignore_directories'] = ['node_modules', 'bower_components'];
    $settings['config_sync_directory'] = '../config/sync';
    $databases['default']['default'] = array (
      'database' => 'd10',
      'username' => 'u',
      'password' => getenv('DRUPAL_PASSWORD'),
    );
    $databases['default']['default']['port'] = 3306;
    $databases['other']['default'] = ['database' => 'x', 'prefix' => ''];
    PHP, '$settings[hash_salt] $settings[config_sync_directory] $databases[other][default][database]', '$settings $settings[container_yamls] $settings[container_yamls][0] $databases $databases[default][default][port] $databases[default][default][database]');
add('elements that are set again', "<?php \$a['x'] = getenv('Q'); \$a['x'] = 'now'; \$b['x']['y'] = 'y'; \$b['x'] = getenv('Q'); \$c['x']['y'] = getenv('Q'); \$c['x'] = 1; \$d['x'] = 'l'; \$d['x'] .= 'm'; \$e['x'] = 1; \$e = ['y' => 2];", '$a $a[x] $c $c[x] $e[y]', '$b[x] $b[x][y] $b $d $d[x]');
add('keys as PHP reads them', "<?php \$a['7'] = 'seven'; \$a[7] = 'again'; \$a['07'] = 'text'; \$a[true] = 'one'; \$a[null] = 'none'; \$a['x' . 1] = 'joined'; \$a[PHP_OS] = 'os'; \$b[1.5] = 'float'; \$c[strtoupper('k')] = 'computed'; \$d['p'][strtoupper('k')] = 'computed'; \$d['q'] = 'known';", '$d[q]', '$a $b $c $d $d[p] $d[p][K] $c[K]');
add('elements appended', "<?php \$a[] = 'zero'; \$b['x'][] = 'zero'; \$b['y'] = 'known';", '$b[y]', '$a $b[x] $b[x][0] $b');
add('elements in a branch', "<?php \$a['x'] = 'x'; if (getenv('Q')) { \$a['x'] = 'y'; } \$b['y'] = 'y'; if (!getenv('Q')): \$b['y'] = 'z'; endif; \$b['w'] = 'w';", '', '$a $a[x] $b $b[y] $b[w]');
add('elements that are taken away', "<?php \$a['x'] = 'x'; unset(\$a['x']); \$b['x'] = 'x'; unset(\$b); \$b['y'] = 'y';", '', '$a[x] $b[x] $b[y]');
add('elements of what includes may set', "<?php \$a['x'] = 'x'; @include '/nonexistent'; \$a['y'] = 'y';", '', '$a $a[x] $a[y]');
add('elements with references', "<?php \$a['x'] = 'x'; \$b['x'] = &\$a['x']; \$b['x'] = 'changed'; \$c['y'] = 'y'; foreach (\$c as &\$d) {} \$d = 'changed';", '', '$a[x] $b[x] $c[y]');
add('elements of others in a value', "<?php \$a['x'] = 'x'; \$b['k'] = \$a['x'] . 'y'; \$b['l'] = 'l'; \$c['m'] = (function () use (&\$b) { \$b['l'] = 'changed'; return 1; })();", '', '$a[x] $b[k] $b[l] $c[m]');
add('elements whose value sets another', "<?php \$a['x'] = 'x'; \$b['k'] = \$a['x'] = strtoupper('z'); \$c['x'] = 'x'; \$d['k'] = \$c = 'z';", '', '$a[x] $b[k] $c[x] $d[k]');
add('a value that is not an array', "<?php \$a['x'] = 'x'; \$a['x'][0] = 'y'; \$b['y'] = 'y';", '$b[y]', '$a[x]');
add('null becomes an array', "<?php \$a = null; \$a['x']['y'] = 'z'; \$b['x'] = null; \$b['x']['y'] = 'z';", '$a $a[x][y] $b $b[x][y]');
add('elements that compute by an operator', "<?php \$a['x'] = 'l' . getenv('Q'); \$a['y'] = 60 * 60; \$a['z'] = 'z'; \$a['w'] ??= 'w';", '', '$a[x] $a[y] $a[z] $a[w] $a');

add('phpBB', <<<'PHP'
    <?php
    // phpBB 3.3.x auto-generated configuration file
    // Do not change anything in this file!
    $dbms = 'phpbb\\db\\driver\\mysqli';
    $dbhost = '127.0.0.1';
    $dbport = '';
    $dbname = 'phpbb';
    $dbuser = 'root';
    $dbpasswd = 'p\'w\\';
    $table_prefix = 'phpbb_';
    $phpbb_adm_relative_path = 'adm/';
    $acm_type = 'phpbb\\cache\\driver\\file';

    @define('PHPBB_INSTALLED', true);
    @define('PHPBB_ENVIRONMENT', 'production');
    // @define('DEBUG_CONTAINER', true);
    PHP, '$dbms $dbhost $dbport $dbname $dbuser $dbpasswd $table_prefix $acm_type PHPBB_INSTALLED PHPBB_ENVIRONMENT');
add('a guard', "<?php\nif (!defined('IN_PHPBB')) { \$x = 1; }\ndefined('A') or define('A', 1);\n\$dbhost = 'h';\ndefine('B', 'b');", '$dbhost B', 'A $x');
add('computed', <<<'PHP'
    <?php
    $a = getenv('A') ?: 'a';
    $b = 'x' . getenv('B');
    $c = "x $a y";
    $d = "x{$a}y";
    $e = `echo e`;
    $f = 1 + 1;
    $g = $h = 'z';
    $i = 'i';
    $i .= 'j';
    $j = ['k' => 'l'];
    $j['k'] = 'm';
    $k = 'k'; $l = &$k; $k = 'new'; $l = 'changed';
    $m = 'm';
    list($m, $n) = ['n', 'o'];
    $o = 'o'; unset($o);
    $p = 'p'; foreach ([1, 2] as $p) {}
    $q = (string) 5;
    $r = !true;
    $s = strtoupper('s');
    $t = true ? 'u' : 'v';
    $u = null ?? 'w';
    $v = PHP_OS;
    $w = new stdClass();
    $x = function () { return 1; };
    $y = fn () => 'y';
    $z = <<<EOT
    $a
    EOT;
    $sound = 'sound';
    PHP, '$sound $j', '$a $b $c $d $e $f $g $i $k $l $m $n $o $p $q $r $s $t $u $v $w $x $y $z');
add('branches', <<<'PHP'
    <?php
    $a = 'a'; $b = 'b'; $c = 'c'; $d = 'd'; $e = 'e'; $f = 'f'; $g = 'g'; $h = 'h'; $i = 'i'; $last = 'x';
    if (true) $a = 'A';
    if (true) { $b = 'B'; } else $c = 'C';
    if (false): $d = 'D'; else: $d = 'DD'; $e = 'E'; endif;
    if (true): if (false) { $x = 1; } else { $x = 2; } $f = 'F'; endif;
    while (true): $g = 'G'; break; endwhile;
    switch (1): case 1: $h = 'H'; endswitch;
    do $i = 'I'; while (false);
    $last = 'sound';
    PHP, '$last', '$a $b $c $d $e $f $g $h $i $x');
add('a branch without a colon', "<?php\nif (true) \$a = true ? 'b' : 'c';\n\$b = 'sound';\nif (true) { \$c = 1; } elseif (false) { \$c = 2; } else { \$c = 3; }\n\$d = 'sound';", '$b $d', '$a $c');
add('other files', "<?php\n\$a = 'a';\n@include '/nowhere';\n\$b = 'b';", '$b', '$a $c D');
add('eval', "<?php\n\$a = 'a';\neval('\$a = \"z\";');\n\$b = 'b';", '$b', '$a');
add('extract', "<?php\n\$a = 'a';\nextract(['a' => 'z']);\n\$b = 'b';", '$b', '$a $c');
add('variable variables', "<?php\n\$a = 'a'; \$n = 'a';\n\$\$n = 'z';\n\$b = 'b';", '$b', '$a');
add('variable variables in braces', "<?php\n\$a = 'a';\n\${'a'} = 'z';\n\$b = 'b';", '$b', '$a');
add('globals', "<?php\n\$a = 'a';\n\$GLOBALS['a'] = 'z';\n\$b = 'b';", '$b', '$a');
add('the last assignment', "<?php\n\$a = 'x';\n\$a = 'y';\n\$b = getenv('X');\n\$b = 'z';", '$a $b');
add('the first definition', "<?php\ndefine('A', 1);\n@define('A', 2);\nconst B = 3, C = 'c';\n@define('B', 4);\ndefine('D', getenv('HOME'));\n@define('D', 'x');\ndefine('E', 'e', true);", 'A B C', 'D');
add('after the end', "<?php\n\$a = 'a';\nreturn;\n\$a = 'z'; \$b = 'b';", '$a');
add('after the exit in a branch', "<?php\n\$a = 'a';\nif (false) exit;\n\$b = 'b';", '$a $b');
add('comments', "<?php # one ' \" \n// two ?><?php\n\$a = 'a'; /* \$a = 'z'; */ \$b /* x */ = /**/ 'b' // '\n; # ?> text <?php \$c = 'c';\n/*/ \$c = 'z'; /*/ \$d = 'd';\n/** doc */\n", '$a $b $c $d');
add('tags', "text \$a = 'no';\n<?php \$a = 'a' ?>\n\$b = 'no';\n<?php\n\$b = 'b'\n?>\ntext <?PHP \$c = 'c'; ?> <?php\t\$d='d';", '$a $b $c $d');
add('tags that are none', "<?xml version='1.0'?>\n<? \$a = 'no'; ?>\n<?phpx \$b = 'no'; ?>\n<?php \$c = 'c';", '$c');
add('an echo tag', "<?php \$a = 'a'; ?><?= \$a = 'z' ?>\n<?php \$b = 'b';", '$b');
add('case', "<?PHP\n\$a = TRUE; \$b = False; \$c = NULL; \$d = ARRAY(1); \$A = 'other'; \$e = \\true;\nCLASS jConfig { PUBLIC \$x = 'x'; VAR \$y = 'y'; }", '$a $b $c $d $A $e JConfig::x JConfig::y');
add('numbers', <<<'PHP'
    <?php
    $a = 0; $b = 10; $c = -7; $d = +7; $e = 0x1F; $f = 0X1f; $g = 017; $h = 0o17; $i = 0O17; $j = 0b101; $k = 1_000; $l = 1.5; $m = .5; $n = 5.; $o = 1e3; $p = 1.5E-3;
    $q = 9223372036854775807; $r = 9223372036854775808; $s = -9223372036854775808; $t = 0x7fffffffffffffff; $u = 00; $v = 1e1_0; $w = -0.0; $x = 1E+2; $y = 0.1; $z = 1_0.5_0; $aa = 08.5;
    PHP, '$a $b $c $d $e $f $g $h $i $j $k $l $m $n $o $p $q $r $s $t $u $w $x $y $z');
add('arrays', <<<'PHP'
    <?php
    $a = []; $b = array(); $c = [1, 2, 3]; $d = array('x', 'y',); $e = ['k' => 'v', 5 => 'w', 'x'];
    $f = ['1' => 'a', '01' => 'b', true => 'c', null => 'd', '-5' => 'e', '-0' => 'f'];
    $g = [[1, [2, ['deep' => 3]]], array('x' => array())]; $h = ['a' => 1, 'a' => 2, 'b' => 3];
    $i = [-5 => 'a', 'b']; $j = [1.7 => 'a']; $k = [...[1, 2]]; $l = [&$a]; $m = ['x' => getenv('X')]; $n = [9223372036854775807 => 1];
    $o = ['a' . 'b' => 'c' . 'd']; $p = (('x')); $q = ['k' => -1]; [$r, $s] = [1, 2]; $t = ['x'][0]; $u = 'abc'[1]; $v = [3 => 'a', 1 => 'b', 'c'];
    PHP, '$b $c $d $e $f $g $h $n $o $p $q $v', '$a $i $j $k $l $m $r $s $t $u');
add('concatenation', "<?php\n\$a = 'a' . \"b\" . 'c'; \$b = 'x' . 5; \$c = 'x' . -5; \$d = true . 'x' . null . false; \$e = ('a' . 'b') . 'c'; \$f = 'a' . \$a; \$g = 'x' . 1.5; \$h = 'a' . ['b'];", '$b $c $d $e', '$a $f $g $h');
add('heredocs', <<<'PHP'
    <?php
    $a = <<<EOT
    one
      two \t \x41 \u{e9} \\ \$x " \" '
    EOT;
    $b = <<<'EOT'
    raw \t $x {$y}
    EOT;
    $c = <<<"EOT"
        indented
          more

        less
        EOT;
    $d = <<<EOT
    EOT;
    $e = <<<  EOT
    EOTX
    EOT . 'after';
    $f = [<<<A
      x
      A, <<<'B'
      y
      B];
    $g = <<<EOT
    $a
    EOT;
    $h = 1 << 2;
    $i = <<<EOT
    \
    \q\8\400\x\xg\u
    EOT;
    $j = <<<X_1
    	tab
    X_1;
    PHP, '$b $c $d $e $f $i $j', '$g $h');
add('heredocs with Windows line ends', "<?php\r\n\$a = <<<EOT\r\n  x\r\n  y\r\n  EOT;\r\n\$b = 'b';\r\n", '$a $b');
add('escapes', <<<'PHP'
    <?php
    $a = 'a\'b\\c\n\\\'d\x41'; $b = "\n\r\t\v\e\f\\\$\"\'"; $c = "\0\7\101\1012\400\777"; $d = "\x4\x41\x414\xg\x"; $e = "\u{41}\u{e9}\u{1F600}\u{0}\u{d800}"; $f = "\q\8\9\ \u\{"; $g = "$"; $h = "a$ b$1$%"; $i = "{ $ }"; $j = b'bin'; $k = B"bin\n"; $l = ''; $m = ""; $n = "multi
    line"; $o = '{$x} $x'; $p = "\$x {\$y} \{$"; $q = "\\$"; $r = "é\xe9";
    PHP, '$a $b $c $d $e $f $g $h $i $j $k $l $m $n $o $p $q $r');
add('what looks like something else', <<<'PHP'
    <?php
    $a = '?>'; $b = '/* x'; $c = "// y"; $d = '# z'; $e = "<?php"; $f = '<<<EOT'; $g = ';'; $h = '$x = 1;';
    PHP, '$a $b $c $d $e $f $g $h');
add('functions', "<?php\nfunction f(\$a, \$b = 'x') { \$c = 'inner'; global \$d; \$d = 'z'; }\n\$d = 'd'; f(1); \$e = 'e';", '$e');
add('static variables', "<?php\nstatic \$a = 'a';\n\$b = 'b';", '$b', '$a');
add('attributes', "<?php\n#[Attr('x')]\nclass Other { #[A] public \$y = 1; }\n\$a = 'a';", '$a');
add('an attribute on a property', "<?php\nclass JConfig { #[A]\n public \$a = 'x'; public \$b = 'y'; }", 'JConfig::b');
add('a match', "<?php\n\$a = match (true) { default => 'x' };\n\$b = 'b';\n\$c = new class { public \$d = 'd'; };\n\$e = 'e';", '$b $e', '$a $c');
add('labels', "<?php\ngoto end;\n\$a = 'a';\nend:\n\$b = 'b';");
add('blocks', "<?php\n{ \$a = 'a'; }\n\$b = 'b';\n;;\n", '$b', '$a');
add('no end', "<?php\n\$a = 'a'", '');
add('no end after the tag', "<?php \$a = 'a' ?>", '$a');
add('nothing', '');
add('no PHP', "\$a = 'a';");
add('empty', '<?php');
foreach (["<?php \$a = 'a", "<?php \$a = \"a", '<?php /* x', "<?php \$a = [1, 2;", '<?php $a = 1);', "<?php \$a = <<<EOT\nx\n", "<?php if (true) { \$a = 'a';", '<?php $a = `x', "<?php \$a = 'x'; }"] as $source) {
    add('broken: ' . $source, $source);
}

// Strings of everything that means something in strings, in one file each.
$pieces = ['a', 'Z', '0', '7', '8', ' ', '\\', '\\\\', '$', '{', '}', '"', "'", '\\"', "\\'", '\\n', '\\x', '\\x4', '\\x41', '\\u', '\\u{', '\\u{41}', '\\u{1f600}', '\\u{}', '\\10', '\\400', '\\$', '?>', '<?php', '//', '/*', '*/', '#', ';', "\n", "\r\n", "\t", 'é', "\xe9", "\0", '%', '$ ', '${', '{$', '$a', '\\e', '\\v', '\\f'];
foreach (['single' => "'", 'double' => '"'] as $kind => $quote) {
    for ($n = 0; $n < 150; $n++) {
        $body = '';
        for ($m = mt_rand(0, 6); $m > 0; $m--) {
            $body .= $pieces[mt_rand(0, count($pieces) - 1)];
        }
        add("$kind $n", "<?php\n\$v = $quote$body$quote;\n\$after = 'after';\n");
    }
}
for ($n = 0; $n < 150; $n++) {
    $body = '';
    for ($m = mt_rand(0, 8); $m > 0; $m--) {
        $body .= $pieces[mt_rand(0, count($pieces) - 1)] . (mt_rand(0, 3) ? '' : "\n" . str_repeat(' ', mt_rand(0, 3)));
    }
    $name = ['EOT', '"EOT"', "'EOT'"][$n % 3];
    add("heredoc $n", "<?php\n\$v = <<<$name\n$body\n" . str_repeat(' ', mt_rand(0, 2)) . "EOT;\n\$after = 'after';\n");
}

echo '{"php": ', json_encode(PHP_VERSION), ",\n\"cases\": [\n", implode(",\n", $cases), "\n]}\n";
