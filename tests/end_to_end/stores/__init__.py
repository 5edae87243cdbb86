"""The stores that sites keep their users and sessions in: real servers, private to the tests.

Each listens on a free port of the loopback interface and on a unix socket in a directory of
its own, runs as the user that hosts run as, and ends with its `with` block whatever happens.
"""
