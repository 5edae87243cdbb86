Rails.application.routes.draw do
  devise_for :users, skip: %i[confirmations passwords registrations unlocks]
  get "/who", to: "who#show"
  root to: "who#show"
end
