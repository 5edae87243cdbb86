# What Rails' own cookie jar reads in encrypted cookies, whole and with something wrong.
#
#     ruby tests/vectors/rails_cookies.rb > crates/sessions/tests/data/rails_cookies_6.1.json
#
# Debian's rails is 6.1. For another release, its checkout goes before:
#
#     ruby $(for gem in activesupport actionpack actionview activemodel; do echo -I ../rails/$gem/lib; done) \
#         tests/vectors/rails_cookies.rb > crates/sessions/tests/data/rails_cookies_7.2.json
#
# Each row says how the application is configured, the cookie's value with its percent-encoding undone, and
# Warden's key in the session that the jar reads, or null where it reads none.
require "active_support"
require "active_support/all"
require "active_support/messages/rotation_configuration"
require "action_dispatch"
require "action_dispatch/middleware/cookies"
require "json"

NAME = "_app_session"
SECRET = "5ad1c0ffee" * 12
OLDER = "0ddba11" * 16
KEY = [[7], "$2a$12$abcdefghijklmnopqrstuv"].freeze
SESSION = { "session_id" => "f" * 32, "warden.user.user.key" => KEY, "note" => "grüß <b>&\u2028" }.freeze
DIGESTS = { "sha1" => OpenSSL::Digest::SHA1, "sha256" => OpenSSL::Digest::SHA256 }.freeze

def keys(secret, digest)
  generator = ActiveSupport::KeyGenerator.new(secret, iterations: 1000, hash_digest_class: DIGESTS.fetch(digest))
  ActiveSupport::CachingKeyGenerator.new(generator)
end

def jar(digest, serializer, secret: SECRET, older: [], gcm: true, metadata: true, signs: nil, cookies: {})
  rotations = ActiveSupport::Messages::RotationConfiguration.new
  older.each do |old|
    rotations.rotate :encrypted, keys(old, digest).generate_key("authenticated encrypted cookie", 32)
    rotations.rotate :signed, keys(old, digest).generate_key("signed cookie")
  end
  header = cookies.map { |name, value| "#{name}=#{CGI.escape(value)}" }.join("; ")
  request = ActionDispatch::Request.new(
    "REQUEST_METHOD" => "GET", "HTTP_HOST" => "app", "rack.input" => StringIO.new, "HTTP_COOKIE" => header,
    "action_dispatch.key_generator" => keys(secret, digest), "action_dispatch.secret_key_base" => secret,
    "action_dispatch.authenticated_encrypted_cookie_salt" => "authenticated encrypted cookie",
    "action_dispatch.encrypted_cookie_salt" => "encrypted cookie",
    "action_dispatch.encrypted_signed_cookie_salt" => "signed encrypted cookie",
    "action_dispatch.signed_cookie_salt" => "signed cookie", "action_dispatch.signed_cookie_digest" => signs,
    "action_dispatch.use_authenticated_cookie_encryption" => gcm,
    "action_dispatch.use_cookies_with_metadata" => metadata,
    "action_dispatch.cookies_serializer" => serializer, "action_dispatch.cookies_rotations" => rotations,
    "action_dispatch.cookies_same_site_protection" => ->(_) { nil }
  )
  request.cookie_jar
end

# A cookie as the application itself would set it.
def sealed(value, digest, serializer, name: NAME, expires: nil, **options)
  cookies = jar(digest, serializer, **options)
  cookies.encrypted[name] = { value: value, expires: expires }
  cookies[name]
end

def reads(digest, serializer, cookie, **options)
  value = jar(digest, serializer, cookies: { NAME => cookie }, **options).encrypted[NAME]
  value.is_a?(Hash) ? value.stringify_keys["warden.user.user.key"] : nil
rescue StandardError
  nil
end

# `bytes` as the jar's own encryptor seals them, whatever they are.
def raw(bytes, digest, salt: "authenticated encrypted cookie", secret: SECRET)
  key = keys(secret, digest).generate_key(salt, 32)
  null = ActiveSupport::MessageEncryptor::NullSerializer
  ActiveSupport::MessageEncryptor.new(key, cipher: "aes-256-gcm", serializer: null).encrypt_and_sign(bytes)
end

def envelope(**members)
  JSON.generate("_rails" => { "message" => Base64.strict_encode64(JSON.generate(SESSION)) }.merge(members))
end

def flip(text, at)
  text = text.dup
  text[at] = text[at] == "A" ? "B" : "A"
  text
end

rows = []
# Rails 6.1 derives all keys with SHA-1, whatever it is told.
DIGESTS_HERE = ActionPack::VERSION::MAJOR >= 7 ? %w[sha256 sha1] : %w[sha1]
digest_of_release = DIGESTS_HERE.first
DIGESTS_HERE.each do |digest|
  %i[json hybrid marshal].each do |serializer|
    row = lambda do |note, cookie, **options|
      # A time that has passed for every reader, and one that has not: the reader's clock says nothing.
      rows << { note: note, digest: digest, serializer: serializer, older: options[:older] || [],
                cookie: cookie, key: reads(digest, serializer, cookie, **options) }
    end
    good = sealed(SESSION, digest, serializer)
    row["whole", good]
    row["other serializer", sealed(SESSION, digest, serializer == :json ? :marshal : :json)]
    next if digest != digest_of_release

    row["without metadata", sealed(SESSION, digest, serializer, metadata: false)]
    row["AES-CBC", cbc = sealed(SESSION, digest, serializer, gcm: false)]
    row["AES-CBC without metadata", sealed(SESSION, digest, serializer, gcm: false, metadata: false)]
    row["of another cookie", sealed(SESSION, digest, serializer, name: "_other_session")]
    row["expires in 2100", sealed(SESSION, digest, serializer, expires: Time.utc(2100))]
    row["expired in 2001", sealed(SESSION, digest, serializer, expires: Time.utc(2001))]
    row["of another secret", sealed(SESSION, digest, serializer, secret: OLDER)]
    row["of an older secret", sealed(SESSION, digest, serializer, secret: OLDER), older: [OLDER]]
    row["AES-CBC of an older secret", sealed(SESSION, digest, serializer, secret: OLDER, gcm: false), older: [OLDER]]
    row["nobody logged in", sealed({ "session_id" => "f" * 32 }, digest, serializer)]
    row["a list", sealed([KEY], digest, serializer)]
    row["a text", sealed("warden.user.user.key", digest, serializer)]
    data, nonce, tag = good.split("--")
    {
      "data" => [flip(data, 3), nonce, tag], "nonce" => [data, flip(nonce, 3), tag],
      "tag" => [data, nonce, flip(tag, 3)], "no tag" => [data, nonce], "no nonce" => [data, "", tag],
      "no data" => ["", nonce, tag], "short tag" => [data, nonce, Base64.strict_encode64(Base64.decode64(tag)[0, 12])],
      "long nonce" => [data, Base64.strict_encode64("#{Base64.decode64(nonce)}x"), tag],
      "other order" => [nonce, data, tag], "a fourth part" => [data, nonce, tag, "AAAA"],
      "a fourth part that is not Base64" => [data, nonce, tag, "A"], "an empty part behind" => [data, nonce, tag, ""],
      "an empty part before" => ["", data, nonce, tag], "a line end behind" => [data, nonce, "#{tag}\n"],
      "a blank behind" => [data, nonce, "#{tag} "], "no padding" => [data, nonce, tag.delete("=")],
      "URL-safe alphabet" => [data.tr("+/", "-_"), nonce.tr("+/", "-_"), tag.tr("+/", "-_")],
    }.each { |what, parts| row["changed: #{what}", parts.join("--")] }
    signed, digits = cbc.split("--")
    {
      "data" => [flip(signed, 3), digits], "digest" => [signed, flip(digits, 3)], "no digest" => [signed],
      "upper-case digest" => [signed, digits.upcase], "short digest" => [signed, digits[0, 20]],
      "a third part" => [signed, digits, "x"], "an empty part behind" => [signed, digits, ""],
    }.each { |what, parts| row["AES-CBC changed: #{what}", parts.join("--")] }
    row["empty", ""]
    row["separators", "----"]
    row["JSON alone", JSON.generate(SESSION)]
    row["Base64 of JSON", Base64.strict_encode64(JSON.generate(SESSION))]
    row["bare JSON", raw(JSON.generate(SESSION), digest)]
    row["bare Marshal", raw(Marshal.dump(SESSION), digest)]
    row["salt of another key", raw(JSON.generate(SESSION), digest, salt: "encrypted cookie")]
    row["key of no secret", raw(JSON.generate(SESSION), digest, secret: "")]
    row["digest of another release", raw(JSON.generate(SESSION), "sha1")] if digest == "sha256"
    row["envelope alone", raw(envelope, digest)]
    row["envelope: null", raw(envelope("exp" => nil, "pur" => nil), digest)]
    row["envelope: its purpose", raw(envelope("pur" => "cookie.#{NAME}"), digest)]
    row["envelope: purpose without prefix", raw(envelope("pur" => NAME), digest)]
    row["envelope: an empty purpose", raw(envelope("pur" => ""), digest)]
    row["envelope: a number for a purpose", raw(envelope("pur" => 7), digest)]
    row["envelope: a number for its end", raw(envelope("exp" => 7), digest)]
    row["envelope: no time for its end", raw(envelope("exp" => "soon"), digest)]
    row["envelope: an end in another zone", raw(envelope("exp" => "2100-01-01T00:00:00+02:00"), digest)]
    row["envelope: no message", raw('{"_rails":{"pur":null}}', digest)]
    row["envelope: message is not Base64", raw('{"_rails":{"message":"!","pur":null}}', digest)]
    row["envelope: it is null", raw('{"_rails":null}', digest)]
    row["envelope: Marshal in it", raw(JSON.generate("_rails" => { "message" => Base64.strict_encode64(Marshal.dump(SESSION)) }), digest)]
    row["no JSON", raw("\x00\x01", digest)]
    row["JSON that ends early", raw(JSON.generate(SESSION)[0..-2], digest)]
    row["Marshal that ends early", raw(Marshal.dump(SESSION)[0..-2], digest)]
  end
end
# Signed cookies, as Devise keeps remembered logins in them: the value that the jar reads, or null.
REMEMBER = "remember_user_token"
REMEMBERED = [[7], "$2a$12$abcdefghijklmnopqrstuv", "1800000000.25"].freeze
signed = []
%i[json marshal].each do |serializer|
  digest = digest_of_release
  row = lambda do |note, cookie, signs: nil, **options|
    value = begin
      jar(digest, serializer, cookies: { REMEMBER => cookie }, signs: signs, **options).signed[REMEMBER]
    rescue StandardError
      nil
    end
    signed << { note: note, digest: digest, serializer: serializer, signs: signs || "SHA1", older: options[:older] || [],
                cookie: cookie, value: value }
  end
  made = lambda do |value = REMEMBERED, name: REMEMBER, expires: nil, **options|
    cookies = jar(digest, serializer, **options)
    cookies.signed[name] = { value: value, expires: expires }
    cookies[name]
  end
  row["whole", good = made[]]
  row["expires in 2100", made[expires: Time.utc(2100)]]
  row["expired in 2001", made[expires: Time.utc(2001)]]
  row["of another cookie", made[name: "remember_admin_token"]]
  row["without metadata", made[metadata: false]]
  row["of another secret", made[secret: OLDER]]
  row["of an older secret", made[secret: OLDER], older: [OLDER]]
  %w[SHA256 SHA512].each do |signs|
    row["by #{signs}", made[signs: signs], signs: signs]
    row["by #{signs}, which is not the application's", made[signs: signs]]
    row["not by #{signs}", good, signs: signs]
  end
  row["encrypted", sealed(REMEMBERED, digest, serializer, name: REMEMBER)]
  data, digits = good.split("--")
  {
    "data" => [flip(data, 3), digits], "digest" => [data, flip(digits, 3)], "no digest" => [data], "no data" => ["", digits],
    "upper-case digest" => [data, digits.upcase], "short digest" => [data, digits[0, 20]], "longer digest" => [data, "#{digits}0"],
    "a third part" => [data, digits, "x"], "an empty part behind" => [data, digits, ""], "other order" => [digits, data],
    "a part before" => ["x", data, digits], "one separator" => ["#{data}-#{digits}"],
  }.each { |what, parts| row["changed: #{what}", parts.join("--")] }
  row["empty", ""]
  row["separators", "----"]
end
puts "{\"rails\": #{JSON.generate(ActionPack::VERSION::STRING)}, \"name\": #{JSON.generate(NAME)}, \"secret\": #{JSON.generate(SECRET)}, \"rows\": ["
puts rows.map { |row| JSON.generate(row) }.join(",\n")
puts "], \"signed\": ["
puts signed.map { |row| JSON.generate(row) }.join(",\n")
puts "]}"
