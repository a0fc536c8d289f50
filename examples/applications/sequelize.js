// Sequelize 6: https://sequelize.org
import pg from 'pg';
import { isRefusedPassword, secretLogin } from 'postgres-secret-rotation/client';
import { ConnectionError, Sequelize } from 'sequelize';

const login = secretLogin({ secretId: process.env.SECRET_ID });

/** Tells of a refused login before Sequelize hears of it. */
class Client extends pg.Client {
  #versionId;

  constructor({ versionId, ...config }) {
    super(config);
    this.#versionId = versionId;
  }

  connect(callback) {
    super.connect(async (error) => {
      if (error && isRefusedPassword(error)) await login.refused(this.#versionId);
      callback(error);
    });
  }
}

const sequelize = new Sequelize({
  dialect: 'postgres',
  dialectModule: { ...pg, Client },
  hooks: {
    async beforeConnect(config) {
      const { username, password, host, port, dbname, ssl, versionId } = await login.current();
      Object.assign(config, { username, password, host, port, database: dbname });
      config.dialectOptions = { ...config.dialectOptions, ssl, versionId };
    },
  },
  retry: { max: 4, match: [ConnectionError] },
  logging: false,
});

export async function currentUser() {
  const [[row]] = await sequelize.query('SELECT current_user AS name');
  return row.name;
}

export const close = () => sequelize.close();
