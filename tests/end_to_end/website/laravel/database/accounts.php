<?php
/* Makes the application's tables, and the accounts in the JSON of standard input. */

require dirname(__DIR__) . '/vendor/autoload.php';
$app = require dirname(__DIR__) . '/bootstrap/app.php';
$app->make(Illuminate\Contracts\Console\Kernel::class)->bootstrap();
$schema = $app['db']->connection()->getSchemaBuilder();
$schema->create('users', function ($table) {
    $table->id();
    $table->string('name');
    $table->string('email')->unique();
    $table->string('password')->nullable();
    $table->rememberToken();
    $table->timestamps();
    $table->softDeletes();
});
$schema->create('sessions', function ($table) {
    $table->string('id')->primary();
    $table->foreignId('user_id')->nullable()->index();
    $table->string('ip_address', 45)->nullable();
    $table->text('user_agent')->nullable();
    $table->text('payload');
    $table->integer('last_activity')->index();
});
foreach (json_decode(file_get_contents('php://stdin'), true) as $account) {
    $account['password'] = $app['hash']->make($account['password']);
    App\Models\User::create($account);
}
