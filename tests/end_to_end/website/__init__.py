"""The project of the tests' Django site."""

try:
    import pymysql
except ImportError:
    pass  # A site on another database.
else:
    # Django reaches MySQL and MariaDB through mysqlclient, whose stand-in this is.
    pymysql.install_as_MySQLdb()
