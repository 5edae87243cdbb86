# The tables of a Redmine and its people, made by its own migrations: passwords are Pw- and the login.
require File.join(Dir.pwd, "config/application")
Rails.application.load_tasks
# Nothing of the installed software is written.
ActiveRecord::Base.dump_schema_after_migration = false
$stdout.reopen(File::NULL)
Rake::Task["db:migrate"].invoke

ActiveRecord::Base.descendants.each(&:reset_column_information)
Setting.clear_cache
Setting.password_min_length = 4
%w[alice bob zoe Carol].each do |login|
  user = User.new(firstname: login.capitalize, lastname: "Example", mail: "#{login.downcase}@example.org", language: "en")
  user.login = login
  user.password = user.password_confirmation = "Pw-#{login}"
  user.save!
end
{ "editors" => %w[alice bob], "staff" => %w[bob] }.each do |name, logins|
  group = Group.create!(lastname: name)
  group.users << User.where(login: logins)
end
User.find_by_login("zoe").update_columns(admin: true)
admin = User.find_by_login("admin")
admin.update_columns(must_change_passwd: true)
