Rails.application.config.session_store :cookie_store, key: "_little_shop", same_site: :lax
