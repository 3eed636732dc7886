-- AlterEnum
ALTER TYPE "restore_form" ADD VALUE 'SEALED';
