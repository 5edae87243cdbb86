class User < ActiveRecord::Base
  devise :database_authenticatable, :rememberable, :confirmable, :lockable,
         :timeoutable
end
