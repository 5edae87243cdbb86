//! Says what WordPress asks for in place of a capability, where it is asked about no post, comment or
//! user in particular (`map_meta_cap` in `wp-includes/capabilities.php` of 6.1).

use hallpass_sessions::wordpress::is_set;
use hallpass_stores::Unavailable;
use hallpass_stores::sql::Queries;

use super::settings::Wordpress;

/// Who is asked about.
#[derive(Clone, Copy, Debug)]
pub(super) struct Holder {
    /// Whether it is a super administrator.
    pub(super) superuser: bool,
    /// Whether the site is of a network.
    pub(super) multisite: bool,
}

/// What `holder` must hold to be allowed `capability`; `None` where nobody is, or where it depends on
/// an object.
pub(super) fn required<'a>(
    site: &Wordpress,
    queries: &mut Queries<'_>,
    capability: &'a str,
    holder: Holder,
) -> Result<Option<Vec<&'a str>>, Unavailable> {
    let Holder {
        superuser,
        multisite,
    } = holder;
    let outsider = multisite && !superuser;
    let mut option = |name: &str| -> Result<bool, Unavailable> {
        let found = site.options(queries, &[name])?.remove(name);
        Ok(found.is_some_and(|value| !matches!(value.as_str(), "" | "0")))
    };
    let forbidden = || Ok(None);
    let one = |capability| Ok(Some(vec![capability]));
    match capability {
        "do_not_allow" => forbidden(),
        // Each is about an object, which is not named here.
        "delete_post"
        | "delete_page"
        | "edit_post"
        | "edit_page"
        | "read_post"
        | "read_page"
        | "publish_post"
        | "edit_comment"
        | "edit_term"
        | "delete_term"
        | "assign_term"
        | "edit_post_meta"
        | "delete_post_meta"
        | "add_post_meta"
        | "edit_comment_meta"
        | "delete_comment_meta"
        | "add_comment_meta"
        | "edit_term_meta"
        | "delete_term_meta"
        | "add_term_meta"
        | "edit_user_meta"
        | "delete_user_meta"
        | "add_user_meta"
        | "create_app_password"
        | "list_app_passwords"
        | "read_app_password"
        | "edit_app_password"
        | "delete_app_passwords"
        | "delete_app_password" => forbidden(),
        "remove_user" => one("remove_users"),
        "promote_user" | "add_users" => one("promote_users"),
        "edit_user" if multisite => forbidden(),
        "edit_user" => one("edit_users"),
        "edit_users" if outsider => Ok(Some(vec!["edit_users", "manage_network_users"])),
        "unfiltered_upload" if site.rules.unfiltered_uploads || outsider => forbidden(),
        "edit_css" | "unfiltered_html" if site.rules.unfiltered_html || outsider => forbidden(),
        "edit_css" => one("unfiltered_html"),
        "edit_files" | "edit_plugins" | "edit_themes"
            if site.rules.file_edit || site.rules.file_mods || outsider =>
        {
            forbidden()
        }
        "update_plugins" | "delete_plugins" | "install_plugins" | "upload_plugins"
        | "update_themes" | "delete_themes" | "install_themes" | "upload_themes"
        | "update_core" | "install_languages" | "update_languages"
            if site.rules.file_mods || outsider =>
        {
            forbidden()
        }
        "upload_themes" => one("install_themes"),
        "upload_plugins" => one("install_plugins"),
        "update_languages" => one("install_languages"),
        "activate_plugins" | "deactivate_plugins" | "activate_plugin" | "deactivate_plugin" => {
            if multisite {
                let menus = site
                    .site_options(queries, &["menu_items"])?
                    .remove("menu_items");
                if !menus.is_some_and(|menus| is_set(&menus, "plugins")) {
                    return Ok(Some(vec!["activate_plugins", "manage_network_plugins"]));
                }
            }
            one("activate_plugins")
        }
        "resume_plugin" => one("resume_plugins"),
        "resume_theme" => one("resume_themes"),
        "delete_user" | "delete_users" if outsider => forbidden(),
        "delete_user" => one("delete_users"),
        "create_users" if outsider => match site
            .site_options(queries, &["add_new_users"])?
            .remove("add_new_users")
            .is_some_and(|value| !matches!(value.as_str(), "" | "0"))
        {
            true => one(capability),
            false => forbidden(),
        },
        "manage_links" if !option("link_manager_enabled")? => forbidden(),
        "customize" => one("edit_theme_options"),
        "delete_site" if multisite => one("manage_options"),
        "delete_site" => forbidden(),
        "manage_post_tags" | "edit_categories" | "edit_post_tags" | "delete_categories"
        | "delete_post_tags" => one("manage_categories"),
        "assign_categories" | "assign_post_tags" => one("edit_posts"),
        "setup_network" if multisite => one("manage_network_options"),
        "setup_network" => one("manage_options"),
        "update_php" | "update_https" if outsider => forbidden(),
        "update_php" => one("update_core"),
        "update_https" => Ok(Some(vec!["manage_options", "update_core"])),
        "export_others_personal_data" | "erase_others_personal_data" | "manage_privacy_options" => {
            one(if multisite {
                "manage_network"
            } else {
                "manage_options"
            })
        }
        _ => Ok(Some(vec![of_blocks(capability).unwrap_or(capability)])),
    }
}

/// The capability of posts that one of blocks is.
fn of_blocks(capability: &str) -> Option<&'static str> {
    Some(match capability {
        "edit_blocks" => "edit_posts",
        "edit_others_blocks" => "edit_others_posts",
        "publish_blocks" => "publish_posts",
        "read_private_blocks" => "read_private_posts",
        "delete_blocks" => "delete_posts",
        "delete_private_blocks" => "delete_private_posts",
        "delete_published_blocks" => "delete_published_posts",
        "delete_others_blocks" => "delete_others_posts",
        "edit_private_blocks" => "edit_private_posts",
        "edit_published_blocks" => "edit_published_posts",
        _ => return None,
    })
}
