class User < ActiveRecord::Base
  devise :database_authenticatable, :confirmable, :lockable,
         :timeoutable
end
