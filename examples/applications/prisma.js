// Prisma 7 and later: https://www.prisma.io
import { PrismaPg } from '@prisma/adapter-pg';
import { rotatingPool, secretLogin } from 'postgres-secret-rotation/client';
import { PrismaClient } from './prisma/generated/client.ts';

const login = secretLogin({ secretId: process.env.SECRET_ID });
const pool = rotatingPool(login, { max: 20, connectionTimeoutMillis: 10_000 });
const prisma = new PrismaClient({ adapter: new PrismaPg(pool) });

export async function currentUser() {
  const [row] = await prisma.$queryRaw`SELECT current_user::text AS name`;
  return row.name;
}

export async function close() {
  await prisma.$disconnect();
  await pool.end();
}
