# The tables of the site, and its people: their passwords are Pw- and the part of the address before the @.
require_relative "config/environment"

ActiveRecord::Schema.define do
  create_table :users do |t|
    t.string :email, null: false, default: ""
    t.string :encrypted_password, null: false, default: ""
    t.datetime :confirmed_at
    t.datetime :confirmation_sent_at
    t.string :confirmation_token
    t.string :unconfirmed_email
    t.integer :failed_attempts, null: false, default: 0
    t.string :unlock_token
    t.datetime :locked_at
    t.datetime :remember_created_at
    t.timestamps
  end
  add_index :users, :email, unique: true
  create_table(:roles) { |t| t.string :name; t.string :resource_type; t.integer :resource_id }
  create_table(:users_roles, id: false) { |t| t.integer :user_id; t.integer :role_id }
end
%w[alice bob zoe unconfirmed].each do |name|
  user = User.new(email: "#{name}@example.org", password: "Pw-#{name}")
  user.skip_confirmation_notification!
  user.save!
  user.update_columns(confirmed_at: Time.now.utc) unless name == "unconfirmed"
end
connection = ActiveRecord::Base.connection
connection.execute("INSERT INTO roles (id, name) VALUES (1, 'editor'), (2, 'admin')")
connection.execute("INSERT INTO users_roles (user_id, role_id) VALUES (1, 1), (2, 2)")
