<?php
// Logs an account in by LDAP, as most PHP programs do: search by the name, then
// bind as the entry that was found.

function log_in(string $name, string $password): ?string
{
    // A bind without a password proves nothing. hallpassd refuses it, other servers do not.
    if ($name === '' || $password === '') {
        return null;
    }
    $directory = ldap_connect('ldap://127.0.0.1:3893');
    ldap_set_option($directory, LDAP_OPT_PROTOCOL_VERSION, 3);
    ldap_set_option($directory, LDAP_OPT_NETWORK_TIMEOUT, 5);
    $filter = '(&(objectClass=inetOrgPerson)(uid=' . ldap_escape($name, '', LDAP_ESCAPE_FILTER) . '))';
    $found = @ldap_search($directory, 'ou=people,dc=example,dc=org', $filter, ['uid']);
    if ($found === false) {
        throw new RuntimeException(ldap_error($directory));
    }
    $entries = ldap_get_entries($directory, $found);
    // More than one is none.
    if ($entries['count'] !== 1) {
        return null;
    }
    if (@ldap_bind($directory, $entries[0]['dn'], $password)) {
        return $entries[0]['uid'][0];
    }
    // 49: the name or the password is wrong. Everything else is a failure.
    if (ldap_errno($directory) !== 49) {
        throw new RuntimeException(ldap_error($directory));
    }
    return null;
}
