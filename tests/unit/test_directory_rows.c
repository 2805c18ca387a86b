/* directory/directory_rows.h: every message that auth answers has a row, and every row answers once. */
#include "unit.h"

#include <pthread.h>

#include "directory/directory_rows.h"
#include "unit_directory.h"

static struct {
	pthread_mutex_t lock;
	pthread_cond_t  wake;
	unsigned        count;
	enum status     st;
	bool            has_reply;
} answered = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, ST_OK, false };

/* In place of the channels. */
void ipc_reply(struct ipc_request *r, enum status status, const void *reply)
{
	(void)r;
	pthread_mutex_lock(&answered.lock);
	answered.count++;
	answered.st = status;
	answered.has_reply = reply != NULL;
	pthread_cond_signal(&answered.wake);
	pthread_mutex_unlock(&answered.lock);
}

static void call(struct directory *d, enum ipc_msg_id id, const void *body, enum status want)
{
	struct arena      *a = arena_new(NULL);
	struct ipc_request r = { .id = id, .body = body, .arena = a };
	size_t             i = 0;

	while (i < directory_row_count && directory_rows[i].id != id)
		i++;
	assert_true(i < directory_row_count);
	answered.count = 0;
	directory_rows[i].handler(d, &r);
	pthread_mutex_lock(&answered.lock);
	while (answered.count == 0)
		pthread_cond_wait(&answered.wake, &answered.lock);
	pthread_mutex_unlock(&answered.lock);
	assert_int_equal(answered.count, 1);
	assert_int_equal(answered.st, want);
	assert_int_equal(answered.has_reply, want == ST_OK && ipc_msgs[id].reply.count > 0);
	arena_free(&a);
}

/* Those of sessions that read or write the directory's file: who shares what, and what accounts hold. */
static bool reads_file(enum ipc_msg_id id)
{
	return id == IPC_AUTH_EXPIRE || id == IPC_AUTH_PURGED || id == IPC_AUTH_HOP_SECRET || id == IPC_AUTH_USED || id == IPC_AUTH_SUBJECT ||
	       id == IPC_AUTH_SUBJECTS || id == IPC_AUTH_SHARED || id == IPC_AUTH_SHARE;
}

static void test_all(void **state)
{
	size_t of_auth = 0;

	(void)state;
	for (unsigned id = IPC_NONE + 1; id < IPC_MSG_COUNT; id++)
		of_auth += ipc_msgs[id].server == ROLE_AUTH && (id < IPC_AUTH_STS_GET || id > IPC_AUTH_TLSRPT_SHOW); /* trust.db answers these */
	assert_int_equal(directory_row_count, of_auth);
	for (size_t i = 0; i < directory_row_count; i++) {
		assert_int_equal(ipc_msgs[directory_rows[i].id].server, ROLE_AUTH);
		bool makes_keys = directory_rows[i].id == IPC_AUTH_DOMAIN_ADD || directory_rows[i].id == IPC_AUTH_KEY_ADD;

		assert_int_equal(directory_rows[i].pool, makes_keys ? DIRECTORY_KEYS_POOL : ipc_msgs[directory_rows[i].id].admin || reads_file(directory_rows[i].id) ?
							 DIRECTORY_POOL :
							 0);
	}
}

static void test_calls(void **state)
{
	struct directory                  *d = unit_directory_new();
	struct auth_name                   alice = { STR("alice@demo.test") };
	struct auth_domain_request         domain = { STR("demo.test") };
	struct auth_account_add_request    add = { &alice, 1, STR("secret"), 0 };
	struct auth_alias                  alias = { STR("a@demo.test"), &alice, 1 };
	struct auth_list_request           list = { 0 };
	struct auth_rcpt_request           address = { STR("a@demo.test") };
	struct auth_login_request          login = { AUTH_SMTP, STR("alice@demo.test"), STR("secret"), STR("192.0.2.1"), true };
	struct auth_sender_request         sender = { 1, STR("a@demo.test") };
	struct auth_account_change_request change = { .address = alice.address, .what = AUTH_CHANGE_QUOTA, .quota_octets = 5 };
	struct auth_account_remove_request remove = { alice.address, true };

	(void)state;
	call(d, IPC_AUTH_DOMAIN_ADD, &domain, ST_OK);
	call(d, IPC_AUTH_DOMAIN_ADD, &domain, ST_EXISTS);
	call(d, IPC_AUTH_ACCOUNT_ADD, &add, ST_OK);
	call(d, IPC_AUTH_ACCOUNT_ADD, &add, ST_EXISTS);
	call(d, IPC_AUTH_ALIAS_ADD, &alias, ST_OK);
	call(d, IPC_AUTH_DOMAIN_LIST, &list, ST_OK);
	call(d, IPC_AUTH_ACCOUNT_LIST, &list, ST_OK);
	call(d, IPC_AUTH_ALIAS_LIST, &list, ST_OK);
	call(d, IPC_AUTH_EXPIRE, NULL, ST_OK);
	call(d, IPC_AUTH_PURGED, &(struct auth_purged_request){ &(struct auth_expired){ 99 }, 1 }, ST_OK);
	call(d, IPC_AUTH_RCPT, &address, ST_OK);
	call(d, IPC_AUTH_RESOLVE, &(struct auth_resolve_request){ address.address }, ST_OK);
	call(d, IPC_AUTH_RESOLVE, &(struct auth_resolve_request){ STR("x@demo.test") }, ST_NOT_FOUND);
	call(d, IPC_AUTH_SENDER, &sender, ST_OK);
	call(d, IPC_AUTH_LOGIN, &login, ST_OK);
	login.password = STR("wrong");
	call(d, IPC_AUTH_LOGIN, &login, ST_DENIED);
	call(d, IPC_AUTH_ACCOUNT_CHANGE, &change, ST_OK);
	call(d, IPC_AUTH_ALIAS_REMOVE, &(struct auth_alias_remove_request){ alias.from }, ST_OK);
	call(d, IPC_AUTH_ACCOUNT_REMOVE, &remove, ST_OK);
	call(d, IPC_AUTH_ACCOUNT_REMOVE, &remove, ST_NOT_FOUND);
	call(d, IPC_AUTH_DOMAIN_REMOVE, &domain, ST_OK);
	directory_close(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all),
		cmocka_unit_test(test_calls),
	};

	return cmocka_run_group_tests(tests, unit_directory_setup, unit_directory_teardown);
}
