/* tests/unit/smtp_server.h - SMTP listeners over the real net on loopback, with fake_ask behind them. */
#ifndef SMTP_SERVER_H
#define SMTP_SERVER_H

#include "fake_ask.h"

struct smtp_server {
	struct net          *net;
	struct fake_ask      ask; /* not locked: one client at a time */
	struct smtp_settings set[3];
	struct smtp_env      env[3]; /* by enum smtp_kind */
	uint16_t             port[3];
};

/* With a certificate made for the occasion. */
void smtp_server_start(struct smtp_server *s);
void smtp_server_stop(struct smtp_server *s);

#endif
