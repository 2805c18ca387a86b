/* role/master_reload.c - the files that the master reads for the roles, at the start and again on SIGHUP; see master_int.h. */
#include "role/master_int.h"

#include <fcntl.h>

#include "base/limits.h"
#include "base/log.h"
#include "role/role.h"
#include "role/role_msg.h"
#include "sys/dir.h"

/* ---- reading what roles need ---- */

/* The certificate and its key; both empty when none is configured. */
enum status master_keys_read(struct arena *a, const struct config *c, struct str *ret_certificate, struct str *ret_key, const char **ret_why)
{
	const struct str paths[] = { c->tls_certificate, c->tls_key };
	struct str       pem[2] = { STR_NONE, STR_NONE };

	for (size_t i = 0; i < 2 && paths[i].n; i++) {
		enum status st = file_read(a, AT_FDCWD, arena_cstr(a, paths[i]), LIMIT_PEM, &pem[i]);
		if (st != ST_OK) {
			*ret_why = arena_printf(a, "%s %.*s: %s", i ? "tls.key" : "tls.certificate", STR_FMT(paths[i]),
						st == ST_NOT_FOUND ? "no such file" : st == ST_DENIED ? "may not be read" : status_name(st)).p;
			return st;
		}
	}
	*ret_certificate = pem[0];
	*ret_key = pem[1];
	return ST_OK;
}

static bool listeners_equal(const struct config *a, const struct config *b)
{
	bool equal = a->listen_count == b->listen_count;

	for (size_t i = 0; equal && i < a->listen_count; i++)
		equal = a->listen[i].kind == b->listen[i].kind && str_eq(a->listen[i].text, b->listen[i].text);
	return equal;
}

/* Settings that take effect at the next start only: a reload that changes them names them. */
static void later_settings_tell(const struct config *now, const struct config *then)
{
	const struct {
		const char *name;
		bool        changed;
	} later[] = {
		{ "listen", !listeners_equal(now, then) },
		{ "data", !str_eq(now->data, then->data) },
		{ "processes.smtp", now->processes_smtp != then->processes_smtp },
		{ "processes.local", now->processes_local != then->processes_local },
		{ "processes.remote", now->processes_remote != then->processes_remote },
		{ "processes.imap", now->processes_imap != then->processes_imap },
		{ "accounts.retention", now->retention_s != then->retention_s },
		{ "retention", now->trash_s != then->trash_s || now->junk_s != then->junk_s || now->undelete_s != then->undelete_s },
		{ "quota.warn", !str_eq(now->quota_warn, then->quota_warn) },
		{ "pipe", (now->pipe_count > 0) != (then->pipe_count > 0) }, /* whether there is a process for them */
		{ "tls.authorities", !str_eq(now->tls_authorities, then->tls_authorities) },
		{ "limits.watermark", now->watermark_octets != then->watermark_octets },
		{ "sandbox.landlock", now->landlock != then->landlock },
		{ "sandbox.landlock_abi_max", now->landlock_max != then->landlock_max },
		{ "sandbox.users", !str_eq(now->users, then->users) },
		{ "log.format", now->log_format != then->log_format },
	};
	struct buf names;

	buf_init(&names, KIB);
	for (size_t i = 0; i < LEN(later); i++)
		if (later[i].changed)
			buf_addf(&names, "%s%s", names.n ? ", " : "", later[i].name);
	if (names.n)
		log_warn("some changed settings take effect at the next start", LOG_STR("settings", buf_str(&names)));
	buf_done(&names);
}

/* The resolver reads files for its settings, so another process has to: it knows nothing that could be lost. */
static void resolver_replace(struct master *m)
{
	for (unsigned i = 0; i < m->process_count; i++)
		if (m->processes[i].id == ROLE_DNS)
			master_replace(&m->processes[i]);
}

void master_reload(struct master *m)
{
	struct arena *a = arena_new(m->arena); /* kept if it is taken: slices of it are in use */
	struct config c = m->config;
	struct buf    errors;
	struct str    certificate, key;
	const char   *why = "";
	bool          ok, other_resolver;

	buf_init(&errors, 64 * KIB);
	ok = config_load(m->options->config_path, a, &c, &errors) == ST_OK;
	if (ok && master_keys_read(a, &c, &certificate, &key, &why) != ST_OK)
		ok = false;
	if (!ok) {
		log_error("reload refused, the old settings stay", LOG_STR("errors", buf_str(&errors)), LOG_C("why", why));
		arena_free(&a);
	} else {
		later_settings_tell(&m->config, &c);
		other_resolver = !str_eq(c.dns_forward, m->config.dns_forward) || !str_eq(c.dns_anchor, m->config.dns_anchor);
		/* Sockets, folders and processes are as they were until the next start. */
		c.data = m->config.data;
		c.listen = m->config.listen;
		c.listen_count = m->config.listen_count;
		c.processes_smtp = m->config.processes_smtp;
		c.processes_local = m->config.processes_local;
		c.processes_remote = m->config.processes_remote;
		c.processes_imap = m->config.processes_imap;
		c.lab = m->config.lab; /* no settings, these two */
		c.probe = m->config.probe;
		m->config = c;
		m->certificate = certificate;
		m->key = key;
		for (unsigned i = 0; i < m->process_count; i++) {
			bool tls = role_def_of(m->processes[i].id)->tls;
			master_tell(&m->processes[i], ROLE_MSG_RELOAD,
			     &(struct role_msg_start){ .role = m->processes[i].id, .instance = m->processes[i].instance, .config = &m->config,
						       .config_count = 1, .certificate = tls ? certificate : STR_NONE, .key = tls ? key : STR_NONE,
						       .started_ms = m->started_ms });
		}
		if (other_resolver)
			resolver_replace(m);
		log_set_level((enum log_level)c.log_level);
		log_info("reloaded");
	}
	buf_done(&errors);
}
