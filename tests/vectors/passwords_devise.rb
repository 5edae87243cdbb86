# What Devise says of passwords and stored hashes, as its login page asks.
#
#     ruby tests/vectors/passwords_devise.rb > crates/passwords/tests/data/devise.json
require "active_support"
require "active_support/all"
require "bcrypt"
require "json"
require "rails"
require "devise"
require "devise/version"

Model = Struct.new(:pepper, :stretches)
rows = []
BY = "Devise #{Devise::VERSION} Encryptor.compare, bcrypt-ruby #{Gem.loaded_specs["bcrypt"]&.version}"

# `Strategies::DatabaseAuthenticatable#authenticate!` asks for a password that is present.
def verdict(model, encoded, password)
  password.present? && Devise::Encryptor.compare(model, encoded, password)
rescue StandardError
  "raises"
end

row = lambda do |note, password, encoded, pepper = nil|
  model = Model.new(pepper, 4)
  context = pepper ? { context: { pepper: pepper } } : {}
  rows << { rules: "devise", note: note, password: password, encoded: encoded,
            verdict: verdict(model, encoded, password), verdict_by: BY, **context }
end

passwords = ["secret", "lètmein", "correct horse battery staple", " secret ", "🐎 staple", "a" * 72, "a" * 80, "ÿ£345"]
[nil, "a-pepper", "p" * 40, ""].each do |pepper|
  passwords.each do |password|
    encoded = Devise::Encryptor.digest(Model.new(pepper, 4), password)
    what = "pepper #{pepper.inspect}"
    row["#{what}: right", password, encoded, pepper]
    row["#{what}: wrong", "not it", encoded, pepper]
    row["#{what}: longer", "#{password}x", encoded, pepper]
    row["#{what}: shorter", password[0..-2], encoded, pepper]
    row["#{what}: other case", password.swapcase, encoded, pepper]
    row["#{what}: another pepper", password, encoded, "other"]
    row["#{what}: no pepper", password, encoded]
    row["#{what}: the pepper typed", "#{password}#{pepper}", encoded] if pepper.present?
  end
end
blank = ["", " ", "\t \n", "\u3000\u00a0"]
blank.each { |password| row["blank: #{password.inspect}", password, BCrypt::Password.create(password, cost: 4).to_s] }
whole = BCrypt::Engine.hash_secret("ÿ£345", "$2a$04$abcdefghijklmnopqrstuu")
%w[2a 2b 2x 2y].each do |variant|
  ["ÿ£345", "secret"].each do |password|
    row["variant #{variant}", password, BCrypt::Engine.hash_secret(password, "$#{variant}$04$abcdefghijklmnopqrstuu")]
    row["variant #{variant} in name alone", password, whole.sub("$2a$", "$#{variant}$")]
  end
end
{
  "empty" => "", "blank" => " ", "the password" => "secret", "cut" => whole[0..-2], "longer" => "#{whole}x",
  "no cost" => whole.sub("$04$", "$4$"), "cost 3" => whole.sub("$04$", "$03$"), "cost 32" => whole.sub("$04$", "$32$"),
  "variant 2" => whole.sub("$2a$", "$2$"), "variant 2c" => whole.sub("$2a$", "$2c$"), "a digest" => "5" * 40,
  "salt that ends otherwise" => whole.sub("stuu", "stuv"), "a line end behind" => "#{whole}\n",
}.each { |what, encoded| row["stored: #{what}", "ÿ£345", encoded] }
puts "[\n#{rows.map { |it| JSON.generate(it) }.join(",\n")}\n]"
