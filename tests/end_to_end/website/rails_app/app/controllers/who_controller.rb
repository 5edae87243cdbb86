class WhoController < ApplicationController
  def show
    render plain: current_user ? "#{current_user.id} #{current_user.email}" : "nobody", status: current_user ? 200 : 401
  end
end
