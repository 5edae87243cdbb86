<?php

use App\Models\User;
use Illuminate\Http\Request;
use Illuminate\Support\Facades\Auth;
use Illuminate\Support\Facades\Hash;
use Illuminate\Support\Facades\Route;

Route::post('/login', function (Request $request) {
    $known = Auth::attempt($request->only('email', 'password'), $request->boolean('remember'));
    if ($known) {
        $request->session()->regenerate();
    }
    return response()->json(['user' => $known ? Auth::user()->email : null], $known ? 200 : 401);
});

Route::get('/whoami', function () {
    return ['user' => optional(Auth::user())->email, 'id' => Auth::id(), 'remember' => Auth::viaRemember()];
});

Route::post('/logout', function (Request $request) {
    Auth::logout();
    $request->session()->invalidate();
    return ['user' => null];
});

Route::post('/password', function (Request $request) {
    $user = Auth::user();
    $user->forceFill(['password' => Hash::make($request->input('password'))])->save();
    return ['user' => $user->email];
});
