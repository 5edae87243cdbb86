# Answers, as a Rails site itself does, who an account, a session or a password is. A line of JSON is a
# question, a line is its answer. Nothing is changed: what is asked runs in a transaction that is rolled
# back, a session is never written, and no mail is sent.
#
# TOLD holds whose accounts are meant: Devise's scope, or the preset.

$stdout.sync = true
ANSWERS = $stdout.dup
ANSWERS.sync = true
# What the application prints is not an answer.
$stdout.reopen($stderr)

ENV["RAILS_ENV"] ||= "production"
require File.join(Dir.pwd, "config/environment")
ActionMailer::Base.perform_deliveries = false if defined?(ActionMailer::Base)
ActiveRecord::Base.logger = nil

# Runs the block, and takes back all that it did to the database.
def unchanged
  result = nil
  ActiveRecord::Base.transaction(requires_new: true) do
    result = yield
    raise ActiveRecord::Rollback
  end
  result
end

# What the block makes of a request with this session cookie, within the site's own session store. Behind a
# semicolon the token has the cookie of a remembered login, which is called `remembered`.
def within_session(token, remembered = nil)
  options = Rails.application.config.session_options
  own, other = token.split(";", 2)
  header = "#{options.fetch(:key)}=#{own}"
  header += "; #{remembered}=#{other}" if remembered && other
  env = Rails.application.env_config.merge(Rack::MockRequest.env_for("/", "HTTP_COOKIE" => header))
  # Left before anything is written.
  catch(:left) do
    inner = ->(inside) { throw :left, yield(ActionDispatch::Request.new(inside)) }
    Rails.application.config.session_store.new(inner, options).call(env)
    nil
  end
end

# Accounts of Devise.
class DeviseAccounts
  def initialize(scope)
    @scope = scope.to_sym
    @model = Devise.mappings.fetch(@scope).to
    @key = @model.authentication_keys.is_a?(Hash) ? @model.authentication_keys.keys.first : @model.authentication_keys.first
  end

  def software = "Rails #{Rails.version} with Devise #{Gem.loaded_specs["devise"]&.version}"

  def count = @model.count

  def names(most)
    scope = @model.order(@model.primary_key)
    scope = scope.limit(most) if most
    scope.pluck(@key).lazy.map { |name| { name: name.to_s, email: @key == :email ? name.to_s : "" } }
  end

  def find(name)
    found = @model.find_for_database_authentication(@key => name)
    found if found&.active_for_authentication?
  end

  def right?(account, password) = password.present? && account.valid_password?(password)

  def in_session(token)
    scope = @scope
    remembered = @model.rememberable_options.fetch(:key, "remember_#{scope}_token") if @model.respond_to?(:rememberable_options)
    within_session(token, remembered) do |request|
      found = nil
      left = ->(inside) { found = inside["warden"].authenticate(scope: scope); [200, {}, []] }
      manager = Warden::Manager.new(left) do |config|
        config.merge!(Devise.warden_config)
        config.failure_app = ->(_) { [401, {}, []] }
      end
      status, = manager.call(request.env)
      status == 200 ? found : nil
    end
  end

  def person(account) = { id: account.id.to_s, name: account.public_send(@key).to_s }

  def described(account)
    groups = account.roles.where(resource_type: nil).map { |role| role.name.to_s } if account.respond_to?(:has_role?)
    person(account).merge(groups: groups)
  end
end

# Accounts of Redmine.
class RedmineAccounts
  def software = "Redmine #{Redmine::VERSION}"

  def count = users.count

  def names(most)
    scope = most ? users.limit(most) : users
    scope.find_each.lazy.map { |user| { name: user.login, email: user.mail.to_s } }
  end

  def users = User.where(type: "User").where.not(login: "")

  def find(name)
    found = User.find_by_login(name.to_s.strip)
    found if found&.active?
  end

  # What its login page lets in without another step.
  def right?(account, password)
    password != "" && account.auth_source_id.nil? && account.check_password?(password) && !another_step?(account)
  end

  def another_step?(account)
    account.auth_source_id.present? || account.try(:twofa_active?) || account.must_change_password? ||
      account.try(:must_activate_twofa?)
  end

  def in_session(token)
    autologin = Redmine::Configuration["autologin_cookie_name"].presence || "autologin"
    within_session(token, autologin) do |request|
      session = request.session
      unless session[:user_id] && User.verify_session_token(session[:user_id], session[:tk])
        key = request.cookies[autologin]
        user = User.try_to_autologin(key) if key && Setting.autologin?
        next user unless user && (user.must_change_password? || user.try(:must_activate_twofa?))
        next nil
      end

      user = User.active.find_by(id: session[:user_id])
      next nil if user && session[:pwd] && user.must_change_password?
      next nil if user && session[:must_activate_twofa] && user.must_activate_twofa?

      user
    end
  end

  def person(account) = { id: account.id.to_s, name: account.login }

  def described(account)
    person(account).merge(groups: account.groups.map(&:lastname), superuser: account.admin?)
  end
end

accounts = TOLD["preset"] == "redmine" ? RedmineAccounts.new : DeviseAccounts.new(TOLD.fetch("scope"))

answer = lambda do |question|
  name = question["name"]
  case question["ask"]
  when "account"
    found = accounts.find(name)
    found && accounts.described(found)
  when "login"
    found = accounts.find(name)
    found && !(accounts.respond_to?(:another_step?) && accounts.another_step?(found)) ? accounts.person(found) : nil
  when "password", "wrong"
    found = accounts.find(name)
    password = question["password"] || SecureRandom.hex(20)
    found && accounts.right?(found, password) ? accounts.person(found) : nil
  when "session"
    found = accounts.in_session(question["token"])
    found && accounts.person(found)
  end
end

tell = ->(line) { ANSWERS.write("hallpass:#{JSON.generate(line)}\n") }

# Tells accounts a thousand at a time, and whether more follow.
list = lambda do |most|
  count = accounts.count
  part = lambda do |names, more|
    listing = { accounts: { names: names, count: count }, sessions: [],
                unlisted: "what the visitors' cookies hold is not known to the site" }
    tell.({ answer: listing, more: more })
  end
  accounts.names(most).each_slice(1000) { |names| part.(names, true) }
  part.([], false)
end

tell.({ software: accounts.software, notes: ["permissions: Rails has none of its own"] })
while (line = $stdin.gets)
  begin
    question = JSON.parse(line)
    if question["ask"] == "list"
      unchanged { list.(question["accounts"]) }
    else
      tell.({ answer: unchanged { answer.(question) } })
    end
  rescue StandardError => error
    tell.({ answer: nil, raised: error.class.name })
  end
end
