//! Reads the question in a request of each dialect.

use std::net::IpAddr;

use hallpass_core::{ClaimedName, Secret};
use hyper::HeaderMap;

use super::fields::{Fields, Malformed};

/// A request as a program has sent it.
pub struct Message<'a> {
    pub fields: Fields,
    pub headers: &'a HeaderMap,
    /// Whether the URL has conditions.
    pub is_conditional: bool,
}

/// A question, and what goes with it.
#[derive(Debug)]
pub struct Asked {
    pub question: Question,
    /// The address of the client, where the program says it.
    pub client: Option<IpAddr>,
    /// The XMPP domain of the account.
    pub domain: Option<String>,
    /// What the answer repeats.
    pub echo: String,
}

/// What a program wants to know.
#[derive(Debug)]
pub enum Question {
    /// Is this the password of the account of this name?
    Password { name: String, password: Secret },
    /// May the account of this name in? The program has checked who it is.
    Account { name: String },
    /// Whose is the session in the cookies? Where the program has a name, is it of that account?
    Session { name: ClaimedName },
    /// Refused, whatever it is about.
    Refused,
    /// Left to the program's next authority.
    Next,
}

impl Question {
    fn asked(self) -> Asked {
        Asked {
            question: self,
            client: None,
            domain: None,
            echo: String::new(),
        }
    }
}

type Read = Result<Asked, Malformed>;

/// A name and a password in the fields of these names. An empty password is what a client without
/// one sends, and is refused.
fn password(fields: &Fields, name: &str, password: &str) -> Result<Question, Malformed> {
    let name = fields.text(name)?.to_owned();
    Ok(match fields.bytes(password)? {
        [] => Question::Refused,
        password => Question::Password {
            name,
            password: Secret::new(password),
        },
    })
}

/// A name in the field of this name.
fn account(fields: &Fields, name: &str) -> Result<Question, Malformed> {
    let name = fields.text(name)?.to_owned();
    Ok(Question::Account { name })
}

/// RabbitMQ's `user_path` (rabbit_auth_backend_http.erl, 3.10). With client certificates it has no
/// password, and proves nothing here; over MQTT it has the fields of a virtual host, too.
pub fn rabbitmq_user(message: &Message<'_>) -> Read {
    Ok(password(&message.fields, "username", "password")?.asked())
}

/// RabbitMQ's `vhost_path`.
pub fn rabbitmq_vhost(message: &Message<'_>) -> Read {
    let fields = &message.fields;
    fields.text("vhost")?;
    Ok(Asked {
        client: fields.address(&["ip"]),
        ..account(fields, "username")?.asked()
    })
}

/// RabbitMQ's `resource_path`.
pub fn rabbitmq_resource(message: &Message<'_>) -> Read {
    rabbitmq_permission(
        &message.fields,
        &["exchange", "queue", "topic"],
        &["configure", "write", "read"],
    )
}

/// RabbitMQ's `topic_path`.
pub fn rabbitmq_topic(message: &Message<'_>) -> Read {
    message.fields.text("routing_key")?;
    rabbitmq_permission(&message.fields, &["topic"], &["write", "read"])
}

fn rabbitmq_permission(fields: &Fields, resources: &[&str], permissions: &[&str]) -> Read {
    fields.text("vhost")?;
    fields.text("name")?;
    let known = resources.contains(&fields.text("resource")?)
        && permissions.contains(&fields.text("permission")?);
    if !known {
        return Ok(Question::Refused.asked());
    }
    Ok(account(fields, "username")?.asked())
}

/// mosquitto-go-auth's `http_getuser_uri` (backends/http.go, 2.1).
pub fn mosquitto_user(message: &Message<'_>) -> Read {
    Ok(password(&message.fields, "username", "password")?.asked())
}

/// mosquitto-go-auth's `http_superuser_uri`. A superuser passes every access rule, so only
/// conditions in the URL make one.
pub fn mosquitto_superuser(message: &Message<'_>) -> Read {
    let question = account(&message.fields, "username")?;
    Ok(match message.is_conditional {
        true => question,
        false => Question::Refused,
    }
    .asked())
}

/// What a client wants of a topic: to read it, to write it, to subscribe to it, to unsubscribe
/// (`MOSQ_ACL_…` in mosquitto_plugin.h, 2.0).
const MOSQUITTO_ACCESS: [u64; 4] = [1, 2, 4, 8];

/// mosquitto-go-auth's `http_aclcheck_uri`.
pub fn mosquitto_acl(message: &Message<'_>) -> Read {
    let fields = &message.fields;
    fields.text("topic")?;
    let question = account(fields, "username")?;
    Ok(match MOSQUITTO_ACCESS.contains(&fields.number("acc")?) {
        true => question,
        false => Question::Refused,
    }
    .asked())
}

/// EMQX's authentication by HTTP, with the template of its documentation (EMQX 5).
pub fn emqx(message: &Message<'_>) -> Read {
    let fields = &message.fields;
    Ok(Asked {
        client: fields.address(&["peerhost", "ip_address"]),
        ..password(fields, "username", "password")?.asked()
    })
}

/// VerneMQ's webhooks (vmq_webhooks_plugin.erl, 1.13), which name their hook in a header.
pub fn vernemq(message: &Message<'_>) -> Read {
    let mut hooks = message.headers.get_all("vernemq-hook").iter();
    let (Some(hook), None) = (hooks.next(), hooks.next()) else {
        return Err(Malformed);
    };
    let fields = &message.fields;
    let question = match hook.as_bytes() {
        b"auth_on_register" | b"auth_on_register_m5" => {
            // A client without a name or a password is an anonymous one.
            if !fields.has("username") || !fields.has("password") {
                return Ok(Question::Refused.asked());
            }
            password(fields, "username", "password")?
        }
        b"auth_on_publish"
        | b"auth_on_subscribe"
        | b"auth_on_publish_m5"
        | b"auth_on_subscribe_m5" => match message.is_conditional {
            true => account(fields, "username")?,
            false => Question::Next,
        },
        _ => return Err(Malformed),
    };
    Ok(Asked {
        client: fields.address(&["addr", "peer_addr"]),
        ..question.asked()
    })
}

/// `check_password` of MongooseIM (ejabberd_auth_http.erl, 6.2), ejabberd-contrib's auth_http and
/// Prosody's mod_auth_http.
pub fn xmpp_password(message: &Message<'_>) -> Read {
    let fields = &message.fields;
    Ok(Asked {
        domain: Some(fields.text("server")?.to_owned()),
        ..password(fields, "user", "pass")?.asked()
    })
}

/// `user_exists` of the same.
pub fn xmpp_exists(message: &Message<'_>) -> Read {
    let fields = &message.fields;
    Ok(Asked {
        domain: Some(fields.text("server")?.to_owned()),
        ..account(fields, "user")?.asked()
    })
}

/// Prosody's mod_auth_custom_http.
pub fn prosody_custom(message: &Message<'_>) -> Read {
    Ok(password(&message.fields, "username", "password")?.asked())
}

/// Synapse's REST password provider (rest_auth_provider.py, 0.1.5). The name is the first part of
/// a Matrix id, which the answer repeats.
pub fn synapse(message: &Message<'_>) -> Read {
    let user = message.fields.within("user")?;
    let id = user.text("id")?;
    let name = id.strip_prefix('@').and_then(|id| id.split_once(':'));
    let (name, server) = name.ok_or(Malformed)?;
    if server.is_empty() {
        return Err(Malformed);
    }
    let question = match user.bytes("password")? {
        [] => Question::Refused,
        password => Question::Password {
            name: name.to_owned(),
            password: Secret::new(password),
        },
    };
    Ok(Asked {
        echo: id.to_owned(),
        ..question.asked()
    })
}

/// Centrifugo's connect proxy (version 5): the cookies of the client are in the headers.
pub fn centrifugo_connect(_: &Message<'_>) -> Read {
    let name = ClaimedName::Nameless;
    Ok(Question::Session { name }.asked())
}

/// Centrifugo's refresh proxy: the connection is of this user, and stays so.
pub fn centrifugo_refresh(message: &Message<'_>) -> Read {
    let name = message.fields.text("user")?.to_owned();
    let name = ClaimedName::Named(name);
    Ok(Question::Session { name }.asked())
}

/// FreeRADIUS's rlm_rest (3.2), with the body of the documentation.
pub fn freeradius(message: &Message<'_>) -> Read {
    let fields = &message.fields;
    Ok(Asked {
        client: fields.address(&["client"]),
        ..password(fields, "user", "password")?.asked()
    })
}

/// A question that is refused whatever it says.
pub fn refused(_: &Message<'_>) -> Read {
    Ok(Question::Refused.asked())
}
