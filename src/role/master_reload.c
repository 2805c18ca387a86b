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

/* Settings that processes read when they start: a reload that changes them says so. */
static void tell_later_settings(const struct config *now, const struct config *then)
{
	bool later = !str_eq(now->relay, then->relay) || !str_eq(now->dns_forward, then->dns_forward) || !str_eq(now->data, then->data) ||
		     now->remote_port != then->remote_port || now->retry_first_s != then->retry_first_s || now->retry_max_s != then->retry_max_s ||
		     now->expire_s != then->expire_s || now->retention_s != then->retention_s || now->watermark_octets != then->watermark_octets ||
		     now->log_format != then->log_format || now->landlock != then->landlock || now->listen_count != then->listen_count;

	if (later)
		log_warn("some changed settings take effect at the next start: listen, data, relay, dns, remote, queue, accounts, processes, sandbox, "
			 "limits.watermark, log.format");
}

void master_reload(struct master *m)
{
	struct arena *a = arena_new(m->arena); /* kept if it is taken: slices of it are in use */
	struct config c = m->config;
	struct buf    errors;
	struct str    certificate, key;
	const char   *why = "";
	bool          ok;

	buf_init(&errors, 64 * KIB);
	ok = !m->options->config_path || config_load(m->options->config_path, a, &c, &errors) == ST_OK;
	if (ok && master_keys_read(a, &c, &certificate, &key, &why) != ST_OK)
		ok = false;
	if (!ok) {
		log_error("reload refused, the old settings stay", LOG_STR("errors", buf_str(&errors)), LOG_C("why", why));
		arena_free(&a);
	} else {
		tell_later_settings(&c, &m->config);
		/* Sockets, folders and processes are as they were until the next start. */
		c.data = m->config.data;
		c.listen = m->config.listen;
		c.listen_count = m->config.listen_count;
		c.processes_smtp = m->config.processes_smtp;
		c.processes_local = m->config.processes_local;
		c.processes_remote = m->config.processes_remote;
		c.processes_imap = m->config.processes_imap;
		c.lab = m->config.lab;
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
		log_set_level((enum log_level)c.log_level);
		log_info("reloaded");
	}
	buf_done(&errors);
}
