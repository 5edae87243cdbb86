"""A shop in Flask, as its tutorials make one: Flask-Login, Flask-SQLAlchemy, and Flask-Session where
SHOP_STORE says so. `GET /who` answers who is logged in."""

import os

from flask import Flask, request
from flask_login import LoginManager, UserMixin, current_user, login_user, logout_user
from flask_sqlalchemy import SQLAlchemy
from werkzeug.security import check_password_hash, generate_password_hash

db = SQLAlchemy()
manager = LoginManager()
# Cheap, so that the tests are quick.
METHODS = {"alice": "scrypt:1024:8:1", "bob": "pbkdf2:sha256:1000"}

roles_users = db.Table(
    "roles_users",
    db.Column("user_id", db.ForeignKey("users.id")),
    db.Column("role_id", db.ForeignKey("role.id")),
)


class Role(db.Model):
    id = db.Column(db.Integer, primary_key=True)
    name = db.Column(db.String(80))


class User(UserMixin, db.Model):
    __tablename__ = "users"

    id = db.Column(db.Integer, primary_key=True)
    username = db.Column(db.String(80), unique=True)
    email = db.Column(db.String(120))
    password_hash = db.Column(db.String(256))
    active = db.Column(db.Boolean, default=True)
    roles = db.relationship(Role, secondary=roles_users)

    @property
    def is_active(self):
        return self.active

    def check_password(self, password):
        return check_password_hash(self.password_hash, password)


@manager.user_loader
def load(key):
    user = db.session.get(User, int(key))
    return user if user and user.is_active else None


def create_app():
    app = Flask(__name__)
    app.config.update(
        SECRET_KEY=os.environ["SHOP_SECRET"],
        SQLALCHEMY_DATABASE_URI=os.environ["SHOP_DATABASE"],
    )
    if os.environ.get("SHOP_FALLBACK"):
        app.config["SECRET_KEY_FALLBACKS"] = [os.environ["SHOP_FALLBACK"]]
    db.init_app(app)
    manager.session_protection = os.environ.get("SHOP_PROTECTION", "basic")
    manager.init_app(app)
    store = os.environ.get("SHOP_STORE", "cookie")
    if store != "cookie":
        from flask_session import Session

        app.config.update(SESSION_TYPE=store, SESSION_USE_SIGNER=bool(os.environ.get("SHOP_SIGNER")))
        app.config["SESSION_PERMANENT"] = False
        app.config["SESSION_SQLALCHEMY"] = db
        if store == "redis":
            import redis

            app.config["SESSION_REDIS"] = redis.Redis.from_url(os.environ["SHOP_REDIS"])
        Session(app)

    @app.post("/login")
    def login():
        user = db.session.execute(db.select(User).filter_by(username=request.form["username"])).scalar()
        if user is None or not user.check_password(request.form["password"]) or not login_user(user, remember="remember" in request.form):
            return "no", 401
        return user.username

    @app.get("/logout")
    def logout():
        logout_user()
        return "bye"

    @app.get("/who")
    def who():
        return current_user.username if current_user.is_authenticated else "nobody"

    @app.cli.command("fill")
    def fill():
        db.create_all()
        staff = Role(name="staff")
        for name in ("alice", "bob", "zoë ö", "dora"):
            hashed = generate_password_hash("Pw-" + name, method=METHODS.get(name, "pbkdf2:sha1:1000"))
            user = User(username=name, email=name[0] + "@example.org", password_hash=hashed)
            user.active = name != "dora"
            user.roles = [staff] if name == "alice" else []
            db.session.add(user)
        db.session.commit()

    return app
