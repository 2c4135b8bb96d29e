/* Output files that a person named: what may be replaced, and what is left as it is. */
#include "vitrine_test.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "durable.h"
#include "output.h"

static char folder[] = "/tmp/base_output_test.XXXXXX";
static char path[sizeof(folder) + 16], other[sizeof(folder) + 16];
static struct why why;

static int make_folder(void **state)
{
	(void)state;
	memcpy(folder + sizeof(folder) - 7, "XXXXXX", 7);
	if (mkdtemp(folder) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/file", folder);
	snprintf(other, sizeof(other), "%s/other", folder);
	return 0;
}

static int remove_folder(void **state)
{
	(void)state;
	unlink(path);
	unlink(other);
	return rmdir(folder); /* fails if anything else was left behind */
}

static enum vt_err write_text(const char *name, const char *text, bool secret)
{
	return output_write(name, bytes_str(text), secret, &why);
}

static void assert_holds(const char *name, const char *text)
{
	struct buf b;

	buf_init(&b);
	assert_int_equal(file_read(&b, name, 1000), VT_OK);
	assert_true(bytes_is(buf_bytes(&b), text));
	buf_release(&b);
}

static unsigned mode_of(const char *name)
{
	struct stat st;

	assert_int_equal(stat(name, &st), 0);
	return st.st_mode & 07777;
}

static void a_new_file_has_the_umasks_mode_and_an_old_one_its_own(void **state)
{
	(void)state;
	mode_t mask = umask(027);

	assert_int_equal(write_text(path, "one", false), VT_OK);
	assert_int_equal(mode_of(path), 0640);
	assert_int_equal(chmod(path, 0604), 0);
	assert_int_equal(write_text(path, "two", false), VT_OK);
	assert_int_equal(mode_of(path), 0604);
	assert_holds(path, "two");
	assert_int_equal(write_text(path, "three", true), VT_OK);
	assert_int_equal(mode_of(path), 0600);
	assert_int_equal(umask(mask), 027);
}

static void a_replaced_file_keeps_its_owner(void **state)
{
	(void)state;
	struct stat st;

	if (geteuid() != 0)
		skip();
	assert_int_equal(write_text(path, "one", false), VT_OK);
	assert_int_equal(chown(path, 1234, 2345), 0);
	assert_int_equal(write_text(path, "two", false), VT_OK);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_uid, 1234);
	assert_int_equal(st.st_gid, 2345);
}

static void a_link_is_followed_and_one_to_nothing_refused(void **state)
{
	(void)state;
	struct stat st;

	assert_int_equal(symlink("other", path), 0);
	assert_int_equal(output_check(path, &why), VT_EINVAL);
	assert_int_equal(write_text(path, "one", false), VT_EINVAL);
	assert_int_equal(access(other, F_OK), -1);
	assert_int_equal(write_text(other, "one", false), VT_OK);
	assert_int_equal(write_text(path, "two", false), VT_OK);
	assert_holds(other, "two");
	assert_int_equal(lstat(path, &st), 0);
	assert_true(S_ISLNK(st.st_mode));
}

static void a_private_key_is_never_overwritten(void **state)
{
	(void)state;
	static const char *const keys[] = {
	    "-----BEGIN PRIVATE KEY-----\nMC4C\n", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMC4C\n",
	    "note\n-----BEGIN EC PRIVATE KEY-----\n", "PRIVATE+KEY+log+12345678+AAAA\n"};

	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		unlink(path);
		assert_int_equal(durable_create(path, bytes_str(keys[i]), 0600), VT_OK);
		assert_int_equal(output_check(path, &why), VT_EINVAL);
		assert_non_null(strstr(why.text, "private key"));
		assert_int_equal(write_text(path, "record", false), VT_EINVAL);
		assert_holds(path, keys[i]);
	}
	unlink(path);
	assert_int_equal(write_text(path, "-----BEGIN PUBLIC KEY-----\n", false), VT_OK);
	assert_int_equal(write_text(path, "record", false), VT_OK);
}

static void a_der_header_without_its_contents_is_no_key(void **state)
{
	(void)state;
	static const uint8_t key[] = {0x30, 0x82, 0x01, 0x00, 0x02, 0x01, 0x00, 0x30};

	for (size_t len = 1; len <= sizeof(key); len++) {
		enum vt_err want = len < sizeof(key) ? VT_OK : VT_EINVAL;

		unlink(path);
		assert_int_equal(durable_create(path, bytes_of(key, len), 0600), VT_OK);
		assert_int_equal(output_check(path, &why), want);
	}
}

static void what_is_open_already_is_written_through(void **state)
{
	(void)state;
	char name[32];
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, "before ", 7), 7);
	snprintf(name, sizeof(name), "/dev/fd/%d", fd);
	assert_int_equal(output_check(name, &why), VT_OK);
	assert_int_equal(write_text(name, "record", false), VT_OK);
	assert_int_equal(write(fd, " after", 6), 6);
	close(fd);
	assert_holds(path, "before record after");
}

static void folders_and_devices_stay_what_they_are(void **state)
{
	(void)state;
	struct stat st;

	assert_int_equal(output_check(folder, &why), VT_EINVAL);
	assert_int_equal(write_text(folder, "x", false), VT_EINVAL);
	assert_int_equal(write_text("", "x", false), VT_EINVAL);
	assert_int_equal(write_text("/dev/full", "x", false), VT_EIO);
	assert_int_equal(write_text("/dev/null", "x", false), VT_OK);
	assert_int_equal(stat("/dev/full", &st), 0);
	assert_true(S_ISCHR(st.st_mode));
	snprintf(other, sizeof(other), "%s/no/file", folder);
	assert_int_equal(output_check(other, &why), VT_EINVAL);
	assert_int_equal(write_text(other, "x", false), VT_EIO);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    IN_FOLDER(a_new_file_has_the_umasks_mode_and_an_old_one_its_own),
	    IN_FOLDER(a_replaced_file_keeps_its_owner),
	    IN_FOLDER(a_link_is_followed_and_one_to_nothing_refused),
	    IN_FOLDER(a_private_key_is_never_overwritten),
	    IN_FOLDER(a_der_header_without_its_contents_is_no_key),
	    IN_FOLDER(what_is_open_already_is_written_through),
	    IN_FOLDER(folders_and_devices_stay_what_they_are),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
