# A site in Rails with Devise, as small as one can be: /users/sign_in, /users/sign_out and /who.
require "rails"
require "active_record/railtie"
require "action_controller/railtie"
require "action_mailer/railtie"
require "redis-actionpack"
require "devise"
require "devise/orm/active_record"

module LittleShop
  class Application < Rails::Application
    config.load_defaults 6.1
    config.eager_load = true
    config.root = File.expand_path("..", __dir__)
    config.logger = Logger.new($stderr)
    config.log_level = :warn
    config.hosts.clear
    config.action_controller.allow_forgery_protection = false
    config.action_dispatch.cookies_serializer = :json
  end
end
