Rails.application.configure do
  config.action_mailer.default_url_options = { host: "localhost" }
end
