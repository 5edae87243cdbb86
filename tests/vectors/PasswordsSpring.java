// Password vectors by Spring Security's PasswordEncoderFactories.
//
//     java -cp spring-security-crypto.jar:spring-core.jar:commons-logging.jar:bcprov.jar \
//         PasswordsSpring.java > crates/passwords/tests/data/spring.json
//
// (Spring Security 7, its module `crypto` of 2026-08-20, with Bouncy Castle 1.72 on OpenJDK 17.)
// Each encoder writes the hashes; the verdict is `matches` of the delegating encoder.

import java.util.ArrayList;
import java.util.List;
import org.springframework.security.crypto.argon2.Argon2PasswordEncoder;
import org.springframework.security.crypto.bcrypt.BCryptPasswordEncoder;
import org.springframework.security.crypto.factory.PasswordEncoderFactories;
import org.springframework.security.crypto.password.*;
import org.springframework.security.crypto.scrypt.SCryptPasswordEncoder;

public class PasswordsSpring {
    static final PasswordEncoder DELEGATING = PasswordEncoderFactories.createDelegatingPasswordEncoder();
    static final List<String> ROWS = new ArrayList<>();

    static String quote(String text) {
        StringBuilder quoted = new StringBuilder("\"");
        for (char letter : text.toCharArray()) {
            if (letter == '"' || letter == '\\') quoted.append('\\').append(letter);
            else if (letter < 32) quoted.append(String.format("\\u%04x", (int) letter));
            else quoted.append(letter);
        }
        return quoted.append('"').toString();
    }

    static void ask(String note, String encoded, String password) {
        String verdict;
        try {
            verdict = String.valueOf(DELEGATING.matches(password, encoded));
        } catch (Exception raised) {
            verdict = "\"raises\"";
        }
        // What stores the password itself is refused, whatever the encoder says.
        String refused = verdict.equals("true") && encoded.endsWith("}" + password) ? ", \"refused\": true" : "";
        ROWS.add(String.format("{\"rules\": \"spring\", \"note\": %s, \"password\": %s, \"encoded\": %s, "
            + "\"verdict\": %s%s, \"verdict_by\": \"Spring Security 7 DelegatingPasswordEncoder\"}",
            quote(note), quote(password), quote(encoded), verdict, refused));
    }

    static void damage(String id, String stored, String password) {
        String encoded = "{" + id + "}" + stored;
        int last = stored.length() - 1;
        ask("cut", encoded.substring(0, encoded.length() - 1), password);
        ask("cut by two", encoded.substring(0, encoded.length() - 2), password);
        ask("longer", encoded + "A", password);
        ask("line feed", encoded + "\n", password);
        ask("padding", encoded + "=", password);
        ask("without id", stored, password);
        ask("empty id", "{}" + stored, password);
        ask("id of another case", "{" + (id.equals(id.toUpperCase()) ? id.toLowerCase() : id.toUpperCase()) + "}" + stored, password);
        ask("unknown id", "{" + id + "x}" + stored, password);
        ask("blank", " " + encoded, password);
        ask("twice", "{" + id + "}" + encoded, password);
        ask("id alone", "{" + id + "}", password);
        ask("stored of another case", "{" + id + "}" + swap(stored), password);
        ask("noop", "{noop}" + password, password);
        for (int at = 0; at <= last; at += 5) {
            String other = stored.charAt(at) == 'b' ? "c" : "b";
            ask("another letter at " + at, "{" + id + "}" + stored.substring(0, at) + other + stored.substring(at + 1), password);
            ask("without the letter at " + at, "{" + id + "}" + stored.substring(0, at) + stored.substring(at + 1), password);
        }
    }

    static String swap(String text) {
        StringBuilder swapped = new StringBuilder();
        for (char letter : text.toCharArray())
            swapped.append(Character.isUpperCase(letter) ? Character.toLowerCase(letter) : Character.toUpperCase(letter));
        return swapped.toString();
    }

    public static void main(String[] arguments) {
        String[] words = {"correct horse", "pässw0rd-ä", "🐎 staple", "x", "k".repeat(71), "k".repeat(72), "k".repeat(73), "nul\0byte", "ÿÿ£", "}{"};
        String[] ids = {"bcrypt", "bcrypt", "bcrypt", "ldap", "MD4", "MD5", "SHA-1", "SHA-256", "sha256", "pbkdf2", "pbkdf2@SpringSecurity_v5_8", "scrypt", "scrypt", "scrypt@SpringSecurity_v5_8", "argon2", "argon2@SpringSecurity_v5_8"};
        PasswordEncoder[] encoders = {
            new BCryptPasswordEncoder(BCryptPasswordEncoder.BCryptVersion.$2A, 4),
            new BCryptPasswordEncoder(BCryptPasswordEncoder.BCryptVersion.$2B, 4),
            new BCryptPasswordEncoder(BCryptPasswordEncoder.BCryptVersion.$2Y, 4),
            new LdapShaPasswordEncoder(), new Md4PasswordEncoder(), new MessageDigestPasswordEncoder("MD5"),
            new MessageDigestPasswordEncoder("SHA-1"), new MessageDigestPasswordEncoder("SHA-256"),
            new StandardPasswordEncoder(), Pbkdf2PasswordEncoder.defaultsForSpringSecurity_v5_5(),
            Pbkdf2PasswordEncoder.defaultsForSpringSecurity_v5_8(),
            new SCryptPasswordEncoder(16, 8, 1, 32, 64), new SCryptPasswordEncoder(64, 1, 3, 32, 9),
            new SCryptPasswordEncoder(1024, 8, 1, 32, 16),
            new Argon2PasswordEncoder(16, 32, 1, 64, 1), new Argon2PasswordEncoder(8, 16, 2, 64, 2)};
        for (int at = 0; at < ids.length; at++) {
            for (int word = 0; word < words.length; word++) {
                boolean slow = ids[at].startsWith("pbkdf2");
                if (slow && word > 2) continue;
                String stored;
                try {
                    stored = encoders[at].encode(words[word]);
                } catch (Exception tooLong) {
                    stored = encoders[at].encode(words[word].substring(0, 72));
                }
                String encoded = "{" + ids[at] + "}" + stored;
                ask(ids[at], encoded, words[word]);
                ask(ids[at], encoded, words[word] + " ");
                ask(ids[at], encoded, "");
                if (!slow) ask(ids[at], encoded, swap(words[word]) + "!");
                if (word == (slow ? 0 : at % 3)) damage(ids[at], stored, words[word]);
            }
        }
        // As older versions wrote them, and other settings.
        ask("sha", "{ldap}{sha}" + "qvTGHdzF6KLavt4PO0gs2a6pQ00=", "hello");
        ask("SHA", "{ldap}{SHA}" + "qvTGHdzF6KLavt4PO0gs2a6pQ00=", "hello");
        ask("Sha", "{ldap}{Sha}" + "qvTGHdzF6KLavt4PO0gs2a6pQ00=", "hello");
        ask("SSHA without a salt", "{ldap}{SSHA}" + "qvTGHdzF6KLavt4PO0gs2a6pQ00=", "hello");
        ask("plain in ldap", "{ldap}hello", "hello");
        ask("MD5 without a salt", "{MD5}5d41402abc4b2a76b9719d911017c592", "hello");
        ask("MD5 of upper case", "{MD5}5D41402ABC4B2A76B9719D911017C592", "hello");
        ask("MD4 without a salt", "{MD4}866437cb7a794bce2b727acc0362ee27", "hello");
        ask("MD4 of upper case", "{MD4}866437CB7A794BCE2B727ACC0362EE27", "hello");
        ask("MD5 as MD4", "{MD4}5d41402abc4b2a76b9719d911017c592", "hello");
        ask("MD4 as MD5", "{MD5}866437cb7a794bce2b727acc0362ee27", "hello");
        ask("noop", "{noop}hello", "hello");
        ask("noop", "{noop}hello", "Hello");
        ask("secret", "{pbkdf2}" + new Pbkdf2PasswordEncoder("pepper", 8, 1000, 256).encode("x"), "x");
        ask("SHA-512", "{pbkdf2@SpringSecurity_v5_8}" + new Pbkdf2PasswordEncoder("", 16, 1000, Pbkdf2PasswordEncoder.SecretKeyFactoryAlgorithm.PBKDF2WithHmacSHA512).encode("x"), "x");
        ask("secret", "{sha256}" + new StandardPasswordEncoder("pepper").encode("x"), "x");
        ask("key of 64", "{scrypt}" + new SCryptPasswordEncoder(16, 8, 1, 64, 16).encode("x"), "x");
        String scrypt = new SCryptPasswordEncoder(16, 8, 1, 32, 16).encode("x");
        for (String parameters : new String[] {"0", "", "0801", "00801", "40801", "040801", "140801", "1f0801", "400801", "4ffff", "40001", "40800", "zz", "-40801"})
            ask("parameters " + parameters, "{scrypt}" + scrypt.replace("$40801$", "$" + parameters + "$"), "x");
        String bcrypt = new BCryptPasswordEncoder(4).encode("x");
        for (String variant : new String[] {"$2$", "$2x$", "$2a$", "$2b$", "$2y$", "$2c$", "$2A$"})
            ask("variant " + variant, "{bcrypt}" + bcrypt.replace("$2a$", variant), "x");
        for (String cost : new String[] {"$00$", "$03$", "$4$", "$004$", "$xx$"})
            ask("cost " + cost, "{bcrypt}" + bcrypt.replace("$04$", cost), "x");
        for (String nothing : new String[] {"", "{", "}", "{}", "{bcrypt", "bcrypt}", "!"}) {
            ask("nothing", nothing, "x");
            ask("nothing", nothing, "");
        }
        System.out.println("[\n" + String.join(",\n", ROWS) + "\n]");
    }
}
