Devise.setup do |config|
  config.mailer_sender = "shop@example.org"
  config.pepper = "a pepper # of its own"
  config.stretches = 4
  config.timeout_in = 30.minutes
  config.unlock_strategy = :both
  config.unlock_in = 2.hours # Devise's own is one hour
  config.maximum_attempts = 5
  config.case_insensitive_keys = [:email]
  config.strip_whitespace_keys = [:email]
  config.sign_out_via = :get
end
